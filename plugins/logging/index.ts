// The logging plugin: each request as one line of the log and one row of the request table.
import { definePlugin } from "../../src/plugin.ts";
import { accessFields } from "./access-fields.ts";

export default definePlugin({
  name: "logging",
  setup: ({ log, requests }) => ({
    record: (entry) => {
      requests.append(entry);
      if (entry.status >= 500) log.warn(accessFields(entry), "request");
      else log.info(accessFields(entry), "request");
    },
  }),
});

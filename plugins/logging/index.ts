// The logging plugin: each request as one line of the log, one row of the request table, and counted.
import { definePlugin } from "../../src/plugin.ts";
import { accessFields } from "./access-fields.ts";
import { Counters } from "./counters.ts";

export default definePlugin({
  name: "logging",
  setup: ({ log, requests }) => {
    const counters = new Counters();
    return {
      record: (entry) => {
        counters.add(entry);
        requests.append(entry);
        if (entry.status >= 500) log.warn(accessFields(entry), "request");
        else log.info(accessFields(entry), "request");
      },
      metrics: () => counters.metrics(),
    };
  },
});

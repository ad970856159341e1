// An example of a plugin from outside: writes over a word in prompts, whatever else the body holds.
import { type Call, definePlugin, type InspectResult, z } from "tollgate/plugin";

export default definePlugin({
  name: "redact-word",
  config: z.strictObject({ word: z.string().min(1), by: z.string().default("[redacted]") }),
  setup: (_host, { word, by }) => ({
    inspect: (call: Call): InspectResult => {
      const body = call.body.toString();
      return body.includes(word) ? { body: Buffer.from(body.replaceAll(word, by)) } : undefined;
    },
  }),
});

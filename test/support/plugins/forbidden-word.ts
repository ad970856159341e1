// An example of a plugin from outside: refuses prompts that hold one of the words in its config.
import { type Call, definePlugin, type InspectResult, z } from "tollgate/plugin";

export default definePlugin({
  name: "forbidden-word",
  config: z.strictObject({ words: z.array(z.string().min(1)).min(1) }),
  setup: (_host, { words }) => ({
    inspect: (call: Call): InspectResult => {
      const found = words.find((word) => call.body.includes(word));
      return found === undefined ? undefined : { code: "content_denied", message: "The prompt holds a forbidden word" };
    },
  }),
});

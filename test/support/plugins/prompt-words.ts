// An example of a plugin from outside: rules may compare how many words a prompt has, as in `deny when prompt.words > 500`.
import { type Call, definePlugin } from "tollgate/plugin";

export default definePlugin({
  name: "prompt-words",
  attributes: [
    { name: "prompt.words", type: "number", note: "words of the last message; 0 without one", fixedBy: "request" },
  ],
  setup: () => ({ readAttributes: { "prompt.words": wordsOf } }),
});

/** Unknown where the message is more than plain text. */
function wordsOf({ json }: Call): number | undefined {
  const last = Array.isArray(json.messages) ? json.messages.at(-1) : undefined;
  if (last === undefined) return 0;
  return typeof last?.content === "string" ? last.content.split(/\s+/).filter(Boolean).length : undefined;
}

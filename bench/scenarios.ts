// What is measured: requests as an app sends them.

/** One kind of request. */
export interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly body: string;
}

const chat = (more: object, words = 10): string =>
  JSON.stringify({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "What is the capital of France? ".repeat(words) }],
    max_tokens: 100,
    ...more,
  });

/** All scenarios, in the order they are run. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "chat", what: "chat completion, 0.4 KB asked, 0.6 KB answered", body: chat({}) },
  { name: "large", what: "chat completion, 20 KB asked, 0.6 KB answered", body: chat({}, 640) },
  { name: "stream", what: "streamed chat completion, 53 events", body: chat({ stream: true }) },
];

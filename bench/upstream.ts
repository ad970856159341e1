// A provider for benchmarks, in a process of its own: answers at once, whole or as a stream, with usage.
import http from "node:http";
import { onCpuQuestion } from "./cpu.ts";

const ANSWER = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion",
    created: 1,
    model: "gpt-4o-mini",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Paris is the capital of France. ".repeat(8) },
        finish_reason: "stop",
      },
    ],
    usage: { prompt_tokens: 25, completion_tokens: 60, total_tokens: 85 },
  }),
);

const EVENTS = 50;
const event = (choices: unknown, usage: unknown = null): Buffer =>
  Buffer.from(
    `data: ${JSON.stringify({ id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices, usage })}\n\n`,
  );
const DELTA = event([{ index: 0, delta: { content: "Paris " }, finish_reason: null }]);
const LAST = Buffer.concat([
  event([{ index: 0, delta: {}, finish_reason: "stop" }]),
  event([], { prompt_tokens: 25, completion_tokens: EVENTS, total_tokens: 25 + EVENTS }),
  Buffer.from("data: [DONE]\n\n"),
]);

const server = http.createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    if (!Buffer.concat(chunks).includes('"stream":true')) {
      res.writeHead(200, { "content-type": "application/json", "content-length": ANSWER.length });
      res.end(ANSWER);
      return;
    }
    res.writeHead(200, { "content-type": "text/event-stream" });
    let left = EVENTS;
    const next = (): void => {
      left -= 1;
      if (left < 0) return void res.end(LAST);
      res.write(DELTA);
      setImmediate(next);
    };
    next();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}` });
});
onCpuQuestion();

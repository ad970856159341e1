// The reference: nothing but http-proxy-3 with a keep-alive agent, in a process of its own.
import http from "node:http";
import { createProxyServer } from "http-proxy-3";
import { onCpuQuestion } from "./cpu.ts";

const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1_024, scheduling: "lifo" });
const proxy = createProxyServer({ target: new URL(String(process.env.BENCH_UPSTREAM)), agent });
proxy.on("error", (_error, _req, res) => res.destroy());
const server = http.createServer((req, res) => proxy.web(req, res));
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}` });
});
onCpuQuestion();

// A client that sends exactly the bytes it is given.
import { connect } from "node:net";

/** Sends the bytes and resolves with all that comes back until the peer closes or `quietMs` pass without a byte. */
export function sendRaw(url: string, bytes: string, quietMs = 300): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let answer = "";
    let timer = setTimeout(() => done(), 5_000);
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      clearTimeout(timer);
      timer = setTimeout(done, quietMs);
    });
    socket.on("close", done);
    socket.on("error", (error) => (answer === "" ? reject(error) : done()));
  });
}

/** A request with these lines above its body; `host` and `content-length` are added. */
export function rawRequest(lines: readonly string[], body = ""): string {
  const framed = lines.some((line) => /^(content-length|transfer-encoding):/i.test(line));
  const length = body === "" || framed ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  return `${[lines[0], "host: gateway", ...lines.slice(1), ...length].join("\r\n")}\r\n\r\n${body}`;
}

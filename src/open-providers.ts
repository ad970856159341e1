// Opens the providers of the config; the built-in demo, where one of them is it, is started with them.
import type { Config } from "./config.ts";
import { Deadlines } from "./http/deadlines.ts";
import { createCatalogue } from "./llm/catalogue.ts";
import { Providers } from "./providers.ts";
import type { Clock } from "./types.ts";

/** @param closers what closes them is added to it */
export async function openProviders(config: Config, clock: Clock, closers: (() => unknown)[]): Promise<Providers> {
  const catalogue = createCatalogue({ providers: config.providers, models: config.models, nowMs: clock.nowMs() });
  const deadlines = new Deadlines(clock.monotonicMs);
  closers.push(() => deadlines.close());
  const addresses = [];
  for (const provider of config.providers) {
    if (provider.baseUrl !== "demo:") addresses.push(provider);
    else {
      const { startDemo } = await import("./llm/demo.ts");
      const demo = await startDemo();
      closers.push(() => demo.close());
      addresses.push({ ...provider, baseUrl: `${demo.url}/v1` });
    }
  }
  const { upstreamTimeoutMs: firstByteMs, idleTimeoutMs: idleMs, answerBytesMax } = config.limits;
  const providers = new Providers({
    catalogue,
    providers: addresses,
    limits: { firstByteMs, idleMs, answerBytesMax },
    deadlines,
    monotonicMs: clock.monotonicMs,
    errorFormat: config.errorFormat,
  });
  closers.push(() => providers.close());
  return providers;
}

// Decides each call by the rules in force, and keeps the rules in step with their files.
import { definePlugin, type Host, type RuleLoad, SetupError, z } from "../../src/plugin.ts";

export default definePlugin({
  name: "iam",
  config: z.strictObject({}),
  setup(host) {
    return {
      async start(signal) {
        const load = await host.rules.load();
        if (load.generation === 0) throw new SetupError(`the rules are broken\n${load.report.trimEnd()}`, 78);
        announce(host, load);
        host.rules.watch(signal, (later) => announce(host, later));
      },
      authorize: (call, principal) => host.rules.decide(call, principal),
    };
  },
});

/** Logs what a load came to: warnings with a good one, the report with a broken one. */
function announce({ log, rules: service }: Host, { ok, generation, hash, files, rules, report }: RuleLoad): void {
  const { keptMs } = service.status();
  const facts = { generation, hash, files, rules };
  if (!ok && keptMs !== null) {
    const kept = new Date(keptMs).toISOString();
    const message = `THE RULE FILES ARE BROKEN: what they say is not in force, but the last good rules, kept ${kept}`;
    log.error({ ...facts, kept, report }, message);
  } else if (!ok) log.error({ ...facts, report }, `rules not loaded: keeping generation ${generation}`);
  else if (report === "") log.info(facts, `rules loaded: generation ${generation}`);
  else log.warn({ ...facts, report }, `rules loaded with warnings: generation ${generation}`);
}

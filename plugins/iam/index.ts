// Decides each call by the rules in force, and keeps the rules in step with their files.
import {
  definePlugin,
  type Host,
  type Metric,
  type RuleLoad,
  type RuleService,
  SetupError,
  z,
} from "../../src/plugin.ts";

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
      metrics: () => ruleMetrics(host.rules),
    };
  },
});

/** Which rules are in force, and how loading them has gone. */
function ruleMetrics({ generation, hash, loads }: RuleService): Metric[] {
  return [
    {
      name: "tollgate_rules_info",
      help: "The rule set in force.",
      type: "gauge",
      samples: [{ labels: { generation: String(generation), hash }, value: 1 }],
    },
    {
      name: "tollgate_rule_loads_total",
      help: "Loads of changed rule files, by what came of them.",
      type: "counter",
      samples: [
        { labels: { result: "ok" }, value: loads.ok },
        { labels: { result: "failed" }, value: loads.failed },
      ],
    },
  ];
}

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

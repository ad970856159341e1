// What warnings need to know of a rule, worked out once, and what they came to last time.
import type { Target } from "../types.ts";
import { type Atom, atomsOf, conflictIn } from "./algebra.ts";
import type { CheckedRule, Leaf } from "./checked.ts";
import type { Code } from "./diagnostics.ts";

/** A warning about a rule by itself. */
export interface RuleWarning {
  readonly code: Code;
  readonly message: string;
  readonly help: string;
}

/** What a rule's own warnings depend on beside the rule. */
export interface Surroundings {
  readonly targets: ReadonlyMap<string, readonly Target[]>;
  readonly anyDefaultDeny: boolean;
}

/** Of one rule. */
export class LintFacts {
  /** The rule where it stands now. */
  rule: CheckedRule;
  /** What it says without its id and its place: equal texts are equal rules. */
  readonly text: string;
  /** The last run in which it was compared with others. */
  run = 0;
  /** The rule that makes it idle, as of that run. */
  coveredBy: LintFacts | null = null;
  private own: { readonly for: Surroundings; readonly warnings: readonly RuleWarning[] } | null = null;
  private parts: { readonly atoms: readonly Atom[]; readonly conflict: readonly [Leaf, Leaf] | null } | null = null;

  constructor(rule: CheckedRule, text: string) {
    this.rule = rule;
    this.text = text;
  }

  get atoms(): readonly Atom[] {
    return this.partsOf().atoms;
  }

  /** Two of the atoms that cannot both hold, or null. */
  get conflict(): readonly [Leaf, Leaf] | null {
    return this.partsOf().conflict;
  }

  /** The warnings about the rule by itself; `find` finds them where something around it has changed. */
  warnings(surroundings: Surroundings, find: () => readonly RuleWarning[]): readonly RuleWarning[] {
    const { own } = this;
    const isSame = own?.for.targets === surroundings.targets && own.for.anyDefaultDeny === surroundings.anyDefaultDeny;
    if (own !== null && isSame) return own.warnings;
    const warnings = find();
    this.own = { for: surroundings, warnings };
    return warnings;
  }

  private partsOf(): { readonly atoms: readonly Atom[]; readonly conflict: readonly [Leaf, Leaf] | null } {
    if (this.parts === null) {
      const atoms = atomsOf(this.rule.fires);
      this.parts = { atoms, conflict: conflictIn(atoms) };
    }
    return this.parts;
  }
}

/** `only` rules that leave nothing, and which others see to that. */
export interface OnlyFinding {
  readonly facts: LintFacts;
  readonly others: readonly LintFacts[];
}

/** From run to run. */
export class LintMemory {
  /** The `only` rules that were compared last. */
  onlys: {
    readonly compared: readonly LintFacts[];
    readonly targets: Surroundings["targets"];
    readonly findings: readonly OnlyFinding[];
  } | null = null;
  private run = 0;
  private isComplete = true;

  /** Begins a run. @returns its number, and that of the last one; 0 when that one was not completed */
  begin(): { readonly run: number; readonly last: number } {
    const last = this.isComplete ? this.run : 0;
    this.run += 1;
    this.isComplete = false;
    return { run: this.run, last };
  }

  complete(): void {
    this.isComplete = true;
  }
}

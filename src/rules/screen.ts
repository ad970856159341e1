// Finds the conditions that may hold for a request: each attribute is read once, whatever the number of its tests.
import type { Call, Target } from "../types.ts";
import type { Attribute } from "./attributes.ts";
import { type Fact, type Facts, NO } from "./facts.ts";
import { Interned } from "./interned.ts";
import type { Literal } from "./literals.ts";
import type { Open } from "./predicates.ts";

/** From so many header names on, the request's headers are looked up and not the names. */
const HEADERS_MANY = 8;
/** Screens and groups that are kept for others to share. */
const KEPT_MAX = 20_000;

/** A literal and whose it is. */
interface Entry<Item> {
  readonly literal: Literal;
  readonly item: Item;
}

/** The literals of one attribute. */
interface Group<Item> {
  /** Whether all of its literals are false. */
  isQuiet(facts: Facts): boolean;
  /** Adds those of which a literal is not false. */
  collect(facts: Facts, found: Set<Item>): void;
}

/** Some open conditions. */
export interface Screen<Item> {
  /** Those that may be other than false, in no order; all others are false. */
  find(facts: Facts): readonly Item[];
}

/** Makes screens. Equal ones, and equal parts of different ones, are made once: most people's rules are everybody's. */
export class Screens<Item extends object> {
  private readonly screens = new Interned<Screen<Item>>(KEPT_MAX);
  private readonly groups = new Interned<Group<Item>>(KEPT_MAX);

  /** @param items what is found for each condition; the same object stands for the same condition */
  of(conditions: readonly Open[], items: readonly Item[]): Screen<Item> {
    return this.screens.of(items, () => {
      const always = items.filter((_item, i) => conditions[i]?.literals === null);
      const entries = items.flatMap((item, i) =>
        (conditions[i]?.literals ?? []).map((literal): Entry<Item> => ({ literal, item })),
      );
      return new GroupedScreen(always, this.groupsOf(entries));
    });
  }

  private groupsOf(entries: readonly Entry<Item>[]): Group<Item>[] {
    const sets = byAttribute(entries);
    const sent = sets.filter(wantsHeader);
    const others = sent.length < HEADERS_MANY ? sets : sets.filter((set) => !sent.includes(set));
    const groups = others.sort((a, b) => costOf(a) - costOf(b)).map((set) => this.group(set));
    if (sent.length < HEADERS_MANY) return groups;
    return [...groups, this.groups.of(partsOf(sent.flat()), () => new HeaderGroup(sent))];
  }

  private group(entries: readonly Entry<Item>[]): Group<Item> {
    return this.groups.of(partsOf(entries), () => new AttributeGroup(entries));
  }
}

function partsOf<Item extends object>(entries: readonly Entry<Item>[]): object[] {
  return entries.flatMap(({ literal, item }) => [literal, item]);
}

function costOf<Item>(entries: readonly Entry<Item>[]): number {
  return Math.min(...entries.map(({ literal }) => literal.cost));
}

/** Only what is sent counts: none of the tests of the header holds where it is not. */
function wantsHeader<Item>(entries: readonly Entry<Item>[]): boolean {
  return entries.every(({ literal }) => literal.ref.attribute.name === "header" && literal.truth(null) === NO);
}

/** Entries that read the same value. */
function byAttribute<Item>(entries: readonly Entry<Item>[]): Entry<Item>[][] {
  const byRef = new Map<Attribute, Map<unknown, Entry<Item>[]>>();
  for (const entry of entries) {
    const { attribute, param, zone } = entry.literal.ref;
    const ofAttribute = byRef.get(attribute) ?? new Map<unknown, Entry<Item>[]>();
    byRef.set(attribute, ofAttribute);
    const variant = attribute.fixedBy === "now" ? zone : param;
    const known = ofAttribute.get(variant);
    if (known === undefined) ofAttribute.set(variant, [entry]);
    else known.push(entry);
  }
  return [...byRef.values()].flatMap((of) => [...of.values()]);
}

class GroupedScreen<Item> implements Screen<Item> {
  private readonly always: readonly Item[];
  private readonly groups: readonly Group<Item>[];

  constructor(always: readonly Item[], groups: readonly Group<Item>[]) {
    this.always = always;
    this.groups = groups;
  }

  find(facts: Facts): readonly Item[] {
    const { groups } = this;
    for (let i = 0; i < groups.length; i += 1) if (!groups[i]?.isQuiet(facts)) return this.collect(facts);
    return this.always;
  }

  private collect(facts: Facts): readonly Item[] {
    const found = new Set(this.always);
    for (const group of this.groups) group.collect(facts, found);
    return [...found];
  }
}

/** The literals of one attribute: most are looked up by the value, the rest are tested one by one. */
class AttributeGroup<Item> implements Group<Item> {
  private readonly param: string;
  private readonly readAny: (facts: Facts) => Fact;
  /** Most attributes are the request's: one call less for them. */
  private readonly readRequest: ((call: Call, target: Target, param: string) => Fact) | null;
  /** Thresholds, the loosest first; between `low` and `high` none is passed. */
  private readonly over: readonly Entry<Item>[];
  private readonly under: readonly Entry<Item>[];
  private readonly low: number;
  private readonly high: number;
  private readonly byName: ReadonlyMap<string, readonly Item[]>;
  private readonly whenSet: readonly Item[];
  private readonly whenTrue: readonly Item[];
  private readonly rest: readonly Entry<Item>[];

  constructor(entries: readonly Entry<Item>[]) {
    const first = entries[0]?.literal;
    if (first === undefined) throw new Error("a group has an entry");
    const of = (isOne: (literal: Literal) => boolean): Entry<Item>[] => entries.filter(({ literal }) => isOne(literal));
    const items = (isOne: (literal: Literal) => boolean): Item[] => of(isOne).map(({ item }) => item);
    this.param = first.ref.param ?? "";
    this.readAny = first.read;
    this.readRequest = requestReader(first.ref.attribute);
    this.over = of(isOver).sort((a, b) => thresholdOf(a) - thresholdOf(b) || isStrict(a) - isStrict(b));
    this.under = of(isUnder).sort((a, b) => thresholdOf(b) - thresholdOf(a) || isStrict(a) - isStrict(b));
    this.low = this.under[0] === undefined ? Number.NEGATIVE_INFINITY : thresholdOf(this.under[0]);
    this.high = this.over[0] === undefined ? Number.POSITIVE_INFINITY : thresholdOf(this.over[0]);
    this.byName = itemsByName(of(isExact));
    this.whenSet = items(isPresence);
    this.whenTrue = items(isTruth);
    this.rest = of((literal) => !LOOKED_UP.some((isOne) => isOne(literal)));
  }

  isQuiet(facts: Facts): boolean {
    const fact = this.read(facts);
    if (fact === undefined || !this.isQuietFor(fact)) return false;
    return this.rest.length === 0 || this.restIsQuiet(fact);
  }

  collect(facts: Facts, found: Set<Item>): void {
    const fact = this.read(facts);
    for (const { literal, item } of this.rest) if (literal.truth(fact) !== NO) found.add(item);
    this.collectPassed(fact, found);
    if (fact === null) return;
    if (fact === undefined) for (const items of this.byName.values()) addAll(found, items);
    else if (typeof fact === "string") addAll(found, this.byName.get(fact));
    else if (Array.isArray(fact)) for (const name of fact) addAll(found, this.byName.get(name));
    addAll(found, this.whenSet);
    if (fact !== false) addAll(found, this.whenTrue);
  }

  private read(facts: Facts): Fact {
    const { readRequest } = this;
    return readRequest === null ? this.readAny(facts) : readRequest(facts.call, facts.target, this.param);
  }

  /** Whether the tests that are looked up are false. */
  private isQuietFor(fact: NonNullable<Fact> | null): boolean {
    if (fact === null) return true;
    if (this.whenSet.length > 0) return false;
    if (typeof fact === "number") return (fact > this.low && fact < this.high) || this.passesNone(fact);
    if (typeof fact === "boolean") return !fact || this.whenTrue.length === 0;
    return typeof fact === "string" ? !this.byName.has(fact) : !Array.isArray(fact);
  }

  private restIsQuiet(fact: Fact): boolean {
    const { rest } = this;
    for (let i = 0; i < rest.length; i += 1) if (rest[i]?.literal.truth(fact) !== NO) return false;
    return true;
  }

  /** A value that is a threshold itself may pass it or not. */
  private passesNone(fact: number): boolean {
    const over = this.over[0];
    const under = this.under[0];
    return (
      (over === undefined || over.literal.truth(fact) === NO) &&
      (under === undefined || under.literal.truth(fact) === NO)
    );
  }

  private collectPassed(fact: Fact, found: Set<Item>): void {
    for (const ordered of [this.over, this.under]) {
      for (const { literal, item } of ordered) {
        if (literal.truth(fact) === NO) break;
        found.add(item);
      }
    }
  }
}

function requestReader(attribute: Attribute): ((call: Call, target: Target, param: string) => Fact) | null {
  return attribute.fixedBy === "request" && attribute.outside === undefined ? attribute.read : null;
}

function addAll<Item>(found: Set<Item>, items: readonly Item[] | undefined): void {
  if (items !== undefined) for (const item of items) found.add(item);
}

function itemsByName<Item>(entries: readonly Entry<Item>[]): Map<string, Item[]> {
  const byName = new Map<string, Item[]>();
  for (const { literal, item } of entries) {
    for (const name of literal.wanted.kind === "names" ? literal.wanted.exact : []) {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [item]);
      else known.push(item);
    }
  }
  return byName;
}

const isExact = ({ wanted, negated }: Literal): boolean =>
  wanted.kind === "names" && wanted.globs.length === 0 && !negated;
const isPresence = ({ wanted, negated }: Literal): boolean => wanted.kind === "set" && !negated;
const isTruth = ({ wanted, negated }: Literal): boolean => wanted.kind === "true" && !negated;
const isOver = ({ wanted, negated }: Literal): boolean =>
  wanted.kind === "order" && wanted.op.startsWith(">") && !negated;
const isUnder = ({ wanted, negated }: Literal): boolean =>
  wanted.kind === "order" && wanted.op.startsWith("<") && !negated;
const LOOKED_UP = [isExact, isPresence, isTruth, isOver, isUnder];

function thresholdOf<Item>({ literal }: Entry<Item>): number {
  if (literal.wanted.kind !== "order") throw new Error("only thresholds are in order");
  return literal.wanted.value;
}

/** 0 for a threshold that counts itself, else 1. */
function isStrict<Item>({ literal: { wanted } }: Entry<Item>): number {
  return wanted.kind === "order" && wanted.op.endsWith("=") ? 0 : 1;
}

/** Many headers, each of which decides nothing where it is not sent: those that were sent are looked up. */
class HeaderGroup<Item> implements Group<Item> {
  private readonly byName: ReadonlyMap<string, AttributeGroup<Item>>;

  /** @param headers the entries of each */
  constructor(headers: readonly (readonly Entry<Item>[])[]) {
    this.byName = new Map(headers.map((of) => [of[0]?.literal.ref.param ?? "", new AttributeGroup(of)]));
  }

  isQuiet(facts: Facts): boolean {
    for (const name in facts.call.headers) {
      const group = this.byName.get(name);
      if (group !== undefined && !group.isQuiet(facts)) return false;
    }
    return true;
  }

  collect(facts: Facts, found: Set<Item>): void {
    for (const name in facts.call.headers) this.byName.get(name)?.collect(facts, found);
  }
}

// One value for each sequence of objects, so that equal ones are made and kept once.

/** A step of the way to a value. */
interface Step<Value> {
  readonly next: Map<object, Step<Value>>;
  value: Value | null;
}

/** Values by the identity of what they are made of. */
export class Interned<Value extends object> {
  private readonly most: number;
  private root: Step<Value> = { next: new Map(), value: null };
  private size = 0;

  /** @param most so many values are kept; then all are dropped and made again as they are asked for */
  constructor(most: number) {
    this.most = most;
  }

  /** The value of these parts, made when there is none. */
  of(parts: readonly object[], make: () => Value): Value {
    let step = this.root;
    for (const part of parts) {
      let next = step.next.get(part);
      if (next === undefined) {
        next = { next: new Map(), value: null };
        step.next.set(part, next);
      }
      step = next;
    }
    step.value ??= this.keep(make());
    return step.value;
  }

  private keep(value: Value): Value {
    this.size += 1;
    if (this.size > this.most) {
      this.root = { next: new Map(), value: null };
      this.size = 0;
    }
    return value;
  }
}

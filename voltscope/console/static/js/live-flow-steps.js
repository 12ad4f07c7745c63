// The steps of a flow as a tree in time: what is folded away, what a call took, and where steps are missing.

const MOST = 50_000; // kept: older ones go
const DROP = 5_000; // so many at once

/**
 * A step: at, track, kind, place (a Place), line, depth, took (seconds, null until it returns), lost (of a gap).
 * Numbers of steps go on counting when old ones go.
 */
export class Steps {
  constructor() {
    this.first = 0;
    this.list = [];
    this.places = new Map();
    this.tracks = new Map();
    this.folded = new Set();
    this.rows = []; // numbers of the steps shown
    this.gone = 0; // steps that had to go
    this.returns = true;
    this.track = null; // null: all, in the order they happened
    this.#restart();
    this.dropped = 0;
  }

  #restart() {
    this.hidden = new Map(); // by track: the depth whose inside is folded away
    this.read = this.first; // the first step not looked at for rows
    this.rows = [];
  }

  step(number) {
    return this.list[number - this.first];
  }

  /** Take in an update; `again`: it may tell steps that are here already. */
  add({ steps, places, tracks, dropped }, again) {
    for (const [index, place] of Object.entries(places)) this.places.set(Number(index), place);
    for (const [number, name] of Object.entries(tracks)) this.tracks.set(Number(number), name);
    if (again && this.list.length && steps.length) {
      const begins = steps[0][0];
      const last = this.list.at(-1).at;
      while (this.list.length && this.list.at(-1).at >= begins) this.list.pop();
      if (begins > last) this.#gap(last, null); // nobody knows what came between
      this.#reopen();
    } else if (dropped > this.dropped) this.#gap(steps[0]?.[0] ?? this.list.at(-1)?.at ?? 0, dropped - this.dropped);
    this.dropped = dropped;
    for (const [at, track, kind, place, line, depth] of steps) this.#push({ at, track, kind, place: this.places.get(place) ?? null, line, depth, took: null, lost: null });
    if (this.list.length > MOST + DROP) this.#trim();
    this.#extend();
  }

  /** Steps were taken off the end: everything that follows from them is found anew. */
  #reopen() {
    this.open = new Map();
    this.#restart();
  }

  #gap(at, lost) {
    this.open = new Map(); // what returns after a gap may be another call
    this.#push({ at, track: null, kind: "gap", place: null, line: 0, depth: 0, took: null, lost });
  }

  #push(step) {
    this.open ??= new Map();
    const number = this.first + this.list.length;
    this.list.push(step);
    if (step.kind !== "call" && step.kind !== "return" && step.kind !== "c-call" && step.kind !== "c-return") return;
    const calls = this.open.get(step.track) ?? [];
    this.open.set(step.track, calls);
    if (step.kind.endsWith("call")) {
      calls.length = step.depth; // what was deeper has been left, by an exception perhaps
      calls[step.depth] = number;
    } else {
      const call = this.step(calls[step.depth]);
      if (call) call.took = step.took = step.at - call.at;
      calls.length = Math.min(calls.length, step.depth);
    }
  }

  #trim() {
    const less = this.list.length - MOST;
    this.list.splice(0, less);
    this.first += less;
    this.gone += less;
    let i = 0;
    while (i < this.rows.length && this.rows[i] < this.first) i += 1;
    this.rows.splice(0, i);
    this.read = Math.max(this.read, this.first);
    for (const number of this.folded) if (number < this.first) this.folded.delete(number);
  }

  #extend() {
    for (; this.read < this.first + this.list.length; this.read += 1) if (this.#shown(this.read)) this.rows.push(this.read);
  }

  #shown(number) {
    const step = this.step(number);
    if (step.kind === "gap") {
      this.hidden.clear();
      return true;
    }
    if (this.track !== null && step.track !== this.track) return false;
    const depth = this.hidden.get(step.track);
    if (depth !== undefined) {
      if (step.depth > depth) return false;
      this.hidden.delete(step.track);
      if (step.kind.endsWith("return")) return false; // that of the folded call itself
    }
    if (this.folded.has(number)) this.hidden.set(step.track, step.depth);
    return this.returns || !step.kind.endsWith("return");
  }

  /** Find all rows anew: something was folded, or another track is looked at. */
  refold() {
    this.#restart();
    this.#extend();
  }

  /** Whether something happened inside a step: then it can be folded. */
  foldable(number) {
    const step = this.step(number);
    if (!step || step.kind === "gap" || step.kind.endsWith("return") || step.kind === "line") return false;
    for (let next = number + 1; next < Math.min(number + 400, this.first + this.list.length); next += 1) {
      const other = this.step(next);
      if (other.track === step.track) return other.depth > step.depth;
    }
    return false;
  }

  fold(number, on = !this.folded.has(number)) {
    if (on) this.folded.add(number);
    else this.folded.delete(number);
    this.refold();
  }

  /** Fold every call of a depth or deeper that can be; none for a depth of null. */
  foldAll(depth) {
    this.folded.clear();
    if (depth !== null) this.list.forEach((step, index) => step.depth === depth && !step.kind.endsWith("return") && step.kind !== "line" && this.folded.add(this.first + index));
    this.refold();
  }
}

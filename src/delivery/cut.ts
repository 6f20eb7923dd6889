/**
 * Cuts one attempt off, once: by its caller, or by its deadline.
 *
 * What an AbortController is, without what makes that a tenth of an attempt: an event target, a signal and a
 * listener that the garbage collector has to visit. An attempt waits for one thing at a time, so that there
 * is one listener.
 */
export class Cut {
  isCut = false;
  /** Its deadline was what cut it off. */
  isLate = false;
  /** Where it stands among the deadlines; theirs alone (deadline.ts). Monotonic ms at which it began. */
  startedAt = 0;
  line: object | null = null;
  before: Cut | null = null;
  after: Cut | null = null;
  #listener: (() => void) | null = null;
  #controller: AbortController | null = null;

  cut(): void {
    if (this.isCut) return;
    this.isCut = true;
    const listener = this.#listener;
    this.#listener = null;
    this.#controller?.abort();
    listener?.();
  }

  /** Cuts it off because its deadline has passed. */
  cutLate(): void {
    if (this.isCut) return;
    this.isLate = true;
    this.cut();
  }

  /** Calls `listener` when the attempt is cut off, in the place of the one before; null = nobody. Not after that. */
  whenCut(listener: (() => void) | null): void {
    this.#listener = listener;
  }

  /** The same for libraries; made at first use. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.isCut) this.#controller.abort();
    }
    return this.#controller.signal;
  }
}

/** What a wait that was cut off rejects with; deadline.ts tells why it was. */
export function cutOff(): Error {
  return new DOMException("the attempt was cut off", "AbortError");
}

/**
 * The promise's value, or a rejection as soon as the attempt is cut off. The promise itself goes on then,
 * and its end is nobody's business any more.
 */
export function orCut<T>(promise: Promise<T>, cut: Cut): Promise<T> {
  if (cut.isCut) {
    promise.catch(() => undefined);
    return Promise.reject(cutOff());
  }
  return new Promise((resolve, reject) => {
    cut.whenCut(() => reject(cutOff()));
    promise.then(resolve, reject);
  });
}

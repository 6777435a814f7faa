const inspect = Symbol.for('nodejs.util.inspect.custom')
const shown = '[secret]'

/**
 * A text that must not be seen: it prints as `[secret]` wherever it is logged, joined into a
 * message, or serialised. Only `reveal` gives it away, so every use is found by that word.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself, for the one place that sends it where it belongs. */
  reveal(): string {
    return this.#text
  }

  /** `text` with every occurrence of the secret replaced by `[secret]`. */
  redact(text: string): string {
    return this.#text === '' ? text : text.replaceAll(this.#text, shown)
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect](): string {
    return shown
  }
}

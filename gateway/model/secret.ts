/**
 * A secret on its way from where it is kept to the program that needs it. Whatever prints, compares or serialises it
 * gets its fingerprint: the public key of a private key, a digest of any other.
 */
export class Secret {
  readonly #text: string;

  constructor(
    text: string,
    readonly fingerprint: string,
  ) {
    this.#text = text;
  }

  /** For the standard input or the socket of a program, or the file that one reads alone, and for nothing else. */
  reveal(): string {
    return this.#text;
  }
}

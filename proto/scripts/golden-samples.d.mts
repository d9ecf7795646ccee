export interface Sample {
  /** Of the vector's file, without `.bin`. */
  readonly name: string;
  /** The message's name in the schema. */
  readonly message: string;
  /** The message as proto3 JSON. */
  readonly json: object;
}

export const SAMPLES: readonly Sample[];

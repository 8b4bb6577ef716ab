/**
 * Every error that the library throws on purpose. `code` is stable and meant for programs, `message` for people:
 * it says what, where, what was expected and what to do. Comlink drops classes, so `toPlain` / `fromPlain` carry
 * name, code, message and details across a worker's boundary.
 */
export type ErrorCode =
  | 'bad-input' // an argument of a public function is unusable
  | 'bad-checkpoint' // a foreign file (torch, safetensors, bpe.model) is damaged or not what it claims to be
  | 'bad-model' // a web model's manifest or shard is damaged, missing or too new
  | 'download' // the network or the host failed
  | 'storage' // IndexedDB failed or is full
  | 'no-webgpu' // no WebGPU or no adapter
  | 'device-lost' // the GPU device went away, and no other could take its place
  | 'out-of-memory' // the GPU refused an allocation
  | 'self-test' // a kernel gave a wrong answer on this device
  | 'unsupported' // the model lacks what the task needs
  | 'worker'; // the worker failed to start, died, or met an error that nobody expected

/** A JSON-like bag of facts about the failure (names, numbers), for programs and reports. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export class RudolphError extends Error {
  override readonly name = 'RudolphError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(printable(message), options);
    this.code = code;
    this.details = details;
  }
}

/** What is cut off is no message of ours: the longest are those of shaders that do not compile. */
const MOST_CHARACTERS = 4000;

/**
 * Messages name what stands in foreign files: nothing in them may steer a terminal (escape sequences), turn the direction of the text
 * around it, or fill a screen.
 */
function printable(message: string): string {
  return message.slice(0, MOST_CHARACTERS).replace(/(?!\n)[\p{Cc}\p{Bidi_C}]/gu, '?');
}

/** Structured-clonable form of any thrown value. */
export interface PlainError {
  readonly name: string;
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** Turns any thrown value into what survives `postMessage`. */
export function toPlain(thrown: unknown): PlainError {
  if (thrown instanceof RudolphError) {
    return { name: thrown.name, code: thrown.code, message: thrown.message, details: thrown.details };
  }
  if (thrown instanceof Error || (typeof DOMException !== 'undefined' && thrown instanceof DOMException)) {
    return { name: thrown.name, code: null, message: thrown.message, details: {} };
  }
  return { name: 'Error', code: null, message: String(thrown), details: {} };
}

/** Rebuilds the error on the other side: a `RudolphError`, an `AbortError` DOMException, or a plain `Error`. */
export function fromPlain(plain: PlainError): Error {
  if (plain.code !== null) return new RudolphError(plain.code, plain.message, plain.details);
  if (plain.name === 'AbortError') return new DOMException(plain.message, 'AbortError');
  const error = new Error(plain.message);
  error.name = plain.name;
  return error;
}

import type { RgbaImage } from '../image/image';

/** How tokens are drawn: temperature, then top-k (ties with the k-th stay), then top-p on what is left (the token that crosses p stays). */
export interface SamplingOptions {
  /** Keep the k most likely classes; 0 keeps all. */
  readonly topK?: number;
  /** Keep the most likely classes until their probabilities exceed p; 1 keeps all. */
  readonly topP?: number;
  readonly temperature?: number;
  /** 0…2³²−1. Absent: a random one, which the result names. The same seed gives the same tokens. */
  readonly seed?: number;
  /** How many pictures or drafts are drawn at once; each depends on the seed and its own number only. */
  readonly count?: number;
}

export interface TextToImageOptions extends SamplingOptions {
  /** Left special token, LT_T2I by default; `null` for none (350M_v1 has none). */
  readonly specialToken?: string | null;
}

/** Something the user should know about a result that is nevertheless valid, e.g. that the prompt was cut. */
export interface NoticeEvent {
  readonly type: 'notice';
  readonly message: string;
}

/** What `textToImage` tells while it works. */
export type TextToImageEvent =
  | NoticeEvent
  | {
      readonly type: 'progress';
      readonly stage: 'prompt' | 'tokens' | 'pictures';
      readonly done: number;
      readonly total: number;
    }
  /** One pixel a token, d×d, in the mean colour of its code; tokens not drawn yet are transparent. One a candidate. */
  | { readonly type: 'preview'; readonly images: readonly RgbaImage[] }
  /** A finished picture. */
  | { readonly type: 'picture'; readonly candidate: number; readonly image: RgbaImage };

export interface TextToImageResult {
  readonly images: readonly RgbaImage[];
  /** Image tokens, d² of each candidate. */
  readonly codebooks: readonly (readonly number[])[];
  readonly seed: number;
}

export interface CaptionOptions extends SamplingOptions {
  /** How the caption begins; upstream's 'на картинке' by default. It is part of the results, as upstream. */
  readonly template?: string;
  readonly leftSpecialToken?: string | null;
  readonly rightSpecialToken?: string | null;
}

export type CaptionEvent =
  | NoticeEvent
  | {
      readonly type: 'progress';
      readonly stage: 'image' | 'prompt' | 'tokens';
      readonly done: number;
      readonly total: number;
    }
  /** The drafts as far as they are written. */
  | { readonly type: 'drafts'; readonly texts: readonly string[] };

export interface CaptionResult {
  /** The different captions, the most frequent first. */
  readonly texts: readonly string[];
  /** How many drafts ended in each of `texts`. */
  readonly counts: readonly number[];
  /** Ids of each of `texts`, template included, without 2, the special token and the closing 3. */
  readonly tokens: readonly (readonly number[])[];
  readonly seed: number;
}

/** What every task takes beside its own options. */
export interface TaskContext<Event> {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Event) => void;
}

import type { RgbaImage } from '../image/image';
import type { Notice } from '../notice';
import type { Attempt } from './journal';

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

/** Pixels, of which the centre square is read, or the d² image tokens themselves (`codebooks` of another result). */
export type PictureTokens = RgbaImage | readonly number[];

/** Something the user should know about a result that is nevertheless valid, e.g. that the prompt was cut. */
export interface NoticeEvent extends Notice {
  readonly type: 'notice';
}

/** How far a task has come. `image`: pictures are read; `prompt`: the shared beginning is computed; `scores`: perplexities are. */
export interface ProgressEvent<Stage extends string> {
  readonly type: 'progress';
  readonly stage: Stage;
  readonly done: number;
  readonly total: number;
}

/** What each candidate's rank is made of; lower is better everywhere. */
export interface Ranking {
  /** w · norm(text perplexity) + (1 − w) · norm(image perplexity), as upstream's; for drafts divided by how often each came. */
  readonly scores: readonly number[];
  readonly textPerplexities: readonly number[];
  readonly imagePerplexities: readonly number[];
}

export interface TextToImageOptions extends SamplingOptions {
  /** Left special token, LT_T2I by default; `null` for none (350M_v1 has none). */
  readonly specialToken?: string | null;
  /** Text around the prompt, whose place is `{}`, e.g. 'рисунок: {}'. Ranking reads the prompt alone, as upstream. */
  readonly template?: string;
  /** Share of the empty prompt's probabilities that is mixed in, 0…1 (upstream's `cfg`, there 0.2); 0 or absent: none. */
  readonly guidance?: number;
  /** Draw `count` pictures, rank them by the prompt and return the `keep` best, best first (upstream's `dream`). */
  readonly keep?: number;
  /** The text's weight in the ranking, 0…1; upstream's 0.95 by default. */
  readonly rankingWeight?: number;
  /** `dwt`: the decoder that doubles the side, where the model has it. By default the plain one where there is one. */
  readonly decoder?: 'plain' | 'dwt';
}

/** What `textToImage` and `inpaint` tell while they work. */
export type TextToImageEvent =
  | NoticeEvent
  | ProgressEvent<'image' | 'prompt' | 'tokens' | 'scores' | 'pictures'>
  /** One pixel a token, d×d, in the mean colour of its code; tokens not drawn yet are transparent. One a candidate. */
  | { readonly type: 'preview'; readonly images: readonly RgbaImage[] }
  /** A finished picture: the `candidate`-th of the result's `images`. */
  | { readonly type: 'picture'; readonly candidate: number; readonly image: RgbaImage };

export interface TextToImageResult {
  readonly images: readonly RgbaImage[];
  /** Image tokens, d² of each picture. */
  readonly codebooks: readonly (readonly number[])[];
  readonly seed: number;
  /** Of `images`, in their order, when `keep` asked for it. */
  readonly ranking?: Ranking;
}

/** Rows and columns of tokens to keep at each border of the picture; the rest is drawn anew. */
export interface Borders {
  readonly up?: number;
  readonly right?: number;
  readonly down?: number;
  readonly left?: number;
}

export interface InpaintOptions extends TextToImageOptions {
  /** Upstream's way: keep borders, draw the rest. Either this or `mask`. */
  readonly borders?: Borders;
  /**
   * What to draw anew: white (opaque and at least half bright) pixels; everything else is kept. Of the picture's proportions,
   * and cropped as the picture is, or d×d values 0 (keep) and 1 (draw), row by row. A token with any such pixel is drawn anew.
   */
  readonly mask?: RgbaImage | readonly number[];
}

export interface TextOptions extends SamplingOptions {
  readonly leftSpecialToken?: string | null;
  readonly rightSpecialToken?: string | null;
}

export interface CaptionOptions extends TextOptions {
  /** How the caption begins; upstream's 'на картинке' by default. It is part of the results, as upstream. */
  readonly template?: string;
  /** Left text; upstream's is empty, FBC2's 'опиши изображение.' */
  readonly instruction?: string;
  /** Rank the different drafts by the picture and return the `keep` best, best first (upstream's `image_captioning`). */
  readonly keep?: number;
  /** The text's weight in the ranking, 0…1; upstream's 0.05 by default. */
  readonly rankingWeight?: number;
}

/** What tasks that write texts tell while they work. */
export type TextEvent =
  | NoticeEvent
  | ProgressEvent<'image' | 'prompt' | 'tokens' | 'scores'>
  /** The drafts as far as they are written. */
  | { readonly type: 'drafts'; readonly texts: readonly string[] };

/** Different texts and how often each was drafted. */
export interface TextResult {
  /** The different texts, the most frequent (or the best ranked) first. */
  readonly texts: readonly string[];
  /** How many drafts ended in each of `texts`. */
  readonly counts: readonly number[];
  /** Ids of each of `texts`, template included, without 2, the special token and the closing 3. */
  readonly tokens: readonly (readonly number[])[];
  readonly seed: number;
}

export interface CaptionResult extends TextResult {
  /** Of `texts`, in their order, when `keep` asked for it. */
  readonly ranking?: Ranking;
}

export interface AnswerOptions extends TextOptions {
  /** `visual` where there is a picture, else `text`; `maths` for sums. */
  readonly kind?: 'visual' | 'text' | 'maths';
  /** What stands before the question; FBC2's by default: see `INSTRUCTIONS`. Empty: nothing. */
  readonly instruction?: string;
  /** Compute the answers' perplexities, too. */
  readonly perplexities?: boolean;
}

export interface ReadTextOptions extends TextOptions {
  /** Left text; FBC2's 'распознай текст на картинке.' by default. */
  readonly instruction?: string;
  /** Compute the texts' perplexities, too. */
  readonly perplexities?: boolean;
}

/** Of `answer` and `readText`. */
export interface AnswerResult extends TextResult {
  /** Of each of `texts`, encoded again with a closing 3, behind left text and picture, when `perplexities` asked for them. */
  readonly textPerplexities?: readonly number[];
}

export interface ClassifyOptions {
  /** Right text of each class, whose place is `{}`; 'на картинке {}' by default. */
  readonly template?: string;
  /** Left text, empty by default; with `{}` it differs from class to class and nothing but the picture is shared. */
  readonly leftTemplate?: string;
  readonly leftSpecialToken?: string | null;
  readonly rightSpecialToken?: string | null;
}

export type ScoreEvent = NoticeEvent | ProgressEvent<'image' | 'scores'>;

export interface ClassifyResult {
  /** Index of the likeliest class. */
  readonly label: number;
  readonly class: string;
  /** softmax(perplexity / ‖perplexities‖₂), as upstream's: the lowest wins. One a class. */
  readonly scores: readonly number[];
  /** Proportional to 1 / perplexity; the highest wins. They add up to 1. */
  readonly probabilities: readonly number[];
  readonly textPerplexities: readonly number[];
  /** Ids of each class's right text as it was read: without 2, the special token, the closing 3 and what was cut off. */
  readonly tokens: readonly (readonly number[])[];
}

export interface ContinueTextOptions extends SamplingOptions {
  /** Left special token, LT_T2T by default. */
  readonly specialToken?: string | null;
  /** Only these text ids may be drawn (the closing 3 always may). */
  readonly allowed?: readonly number[];
}

export interface ContinueTextResult extends TextResult {
  /** Of each of `texts`, encoded again with a closing 3. */
  readonly textPerplexities: readonly number[];
}

export interface RankOptions {
  /** The text's weight, 0…1; upstream's 0.95 where pictures are ranked, 0.05 where texts are. */
  readonly weight?: number;
  readonly leftSpecialToken?: string | null;
  /** Of `rankImages` only. */
  readonly rightSpecialToken?: string | null;
}

export interface RankTextsOptions extends RankOptions {
  /** How often each text was drafted, by which its score is divided; once each by default. */
  readonly counts?: readonly number[];
}

export interface RankResult extends Ranking {
  /** Indices of what was ranked, the best first. `scores` and perplexities stay in the order of the input. */
  readonly order: readonly number[];
  /** Ids of each text as it was read (of `rankImages`, of the only one): as in `ClassifyResult`. */
  readonly tokens: readonly (readonly number[])[];
}

/** Any part of a sequence: left text, picture, right text. Behind right text stand all parts; what is absent is empty. */
export interface PerplexityInput {
  readonly left?: string;
  readonly image?: PictureTokens;
  readonly right?: string;
}

export interface PerplexityOptions {
  readonly leftSpecialToken?: string | null;
  readonly rightSpecialToken?: string | null;
}

/** exp(cross-entropy) averaged over a stream's tokens; null for a part that was not given. */
export interface PerplexityResult {
  readonly left: number | null;
  readonly image: number | null;
  readonly right: number | null;
  /** Ids of the texts as they were read: as in `ClassifyResult`. */
  readonly tokens: { readonly left: readonly number[] | null; readonly right: readonly number[] | null };
}

/** Every task: what it takes, tells and returns. The last argument of each is its options. */
export interface TaskTypes {
  textToImage: {
    readonly args: readonly [prompt: string, options?: TextToImageOptions];
    readonly event: TextToImageEvent;
    readonly result: TextToImageResult;
  };
  inpaint: {
    readonly args: readonly [picture: PictureTokens, prompt: string, options: InpaintOptions];
    readonly event: TextToImageEvent;
    readonly result: TextToImageResult;
  };
  caption: {
    readonly args: readonly [picture: PictureTokens, options?: CaptionOptions];
    readonly event: TextEvent;
    readonly result: CaptionResult;
  };
  answer: {
    readonly args: readonly [question: string, picture: PictureTokens | null, options?: AnswerOptions];
    readonly event: TextEvent;
    readonly result: AnswerResult;
  };
  readText: {
    readonly args: readonly [picture: PictureTokens, options?: ReadTextOptions];
    readonly event: TextEvent;
    readonly result: AnswerResult;
  };
  classify: {
    readonly args: readonly [picture: PictureTokens, classes: readonly string[], options?: ClassifyOptions];
    readonly event: ScoreEvent;
    readonly result: ClassifyResult;
  };
  continueText: {
    readonly args: readonly [text: string, options?: ContinueTextOptions];
    readonly event: TextEvent;
    readonly result: ContinueTextResult;
  };
  rankImages: {
    readonly args: readonly [text: string, pictures: readonly PictureTokens[], options?: RankOptions];
    readonly event: ScoreEvent;
    readonly result: RankResult;
  };
  rankTexts: {
    readonly args: readonly [picture: PictureTokens, texts: readonly string[], options?: RankTextsOptions];
    readonly event: ScoreEvent;
    readonly result: RankResult;
  };
  perplexity: {
    readonly args: readonly [input: PerplexityInput, options?: PerplexityOptions];
    readonly event: ScoreEvent;
    readonly result: PerplexityResult;
  };
}
export type TaskName = keyof TaskTypes;

/** What every task takes beside its own options. */
export interface TaskContext<Event> {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Event) => void;
  /** What earlier runs of the same task have worked out, on a device that was lost. */
  readonly attempt?: Attempt;
}

import type { Manifest } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import type { Gpu } from '../gpu/device';
import { answer, readText } from './answer';
import { caption } from './caption';
import { classify } from './classify';
import { continueText } from './continueText';
import { inpaint } from './inpaint';
import { LoadedModel, type LoadOptions } from './loadedModel';
import { perplexity } from './perplexity';
import { rankImages, rankTexts } from './rank';
import { LastingModel } from './recovery';
import { textToImage } from './textToImage';
import type {
  AnswerOptions,
  CaptionOptions,
  ClassifyOptions,
  ContinueTextOptions,
  InpaintOptions,
  PerplexityInput,
  PerplexityOptions,
  PictureTokens,
  RankOptions,
  RankTextsOptions,
  ReadTextOptions,
  TaskContext,
  TaskName,
  TaskTypes,
  TextToImageOptions,
} from './types';

type Context<T extends TaskName> = TaskContext<TaskTypes[T]['event']>;
type Result<T extends TaskName> = Promise<TaskTypes[T]['result']>;

export interface EngineOptions extends LoadOptions {
  /**
   * A device in the place of one that was lost: the model is loaded on it again, and the task, or the load, goes on (see `LastingModel`).
   * Absent: a task whose device is lost rejects with `device-lost`, and so does every later one. What it gives is the engine's to dispose of.
   */
  readonly renew?: (signal?: AbortSignal) => Promise<Gpu>;
}

/** All tasks on one loaded model, each documented where it is written. One task at a time: they share the device. */
export class Engine {
  readonly #lasting: LastingModel;

  private constructor(lasting: LastingModel) {
    this.#lasting = lasting;
  }

  /** See `LoadedModel.load`. The image encoder is loaded by the first task that reads a picture. */
  static async load(gpu: Gpu, source: ModelSource, options: EngineOptions = {}): Promise<Engine> {
    const { renew, signal, ...later } = options;
    const load = (on: Gpu, stop?: AbortSignal): Promise<LoadedModel> =>
      LoadedModel.load(on, source, { ...later, ...(stop ? { signal: stop } : {}) });
    return new Engine(await LastingModel.load(gpu, load, renew, signal));
  }

  /** The model on the device that it is on now. */
  get model(): LoadedModel {
    return this.#lasting.current;
  }

  get manifest(): Manifest {
    return this.model.manifest;
  }

  /** Draws pictures from a text; see `textToImage`. */
  async textToImage(
    prompt: string,
    options: TextToImageOptions = {},
    context: Context<'textToImage'> = {},
  ): Result<'textToImage'> {
    return this.#lasting.run((model, own) => textToImage(model, prompt, options, own), context);
  }

  /** Draws part of a picture anew; see `inpaint`. */
  async inpaint(
    picture: PictureTokens,
    prompt: string,
    options: InpaintOptions = {},
    context: Context<'inpaint'> = {},
  ): Result<'inpaint'> {
    return this.#lasting.run((model, own) => inpaint(model, picture, prompt, options, own), context);
  }

  /** Describes a picture; see `caption`. */
  async caption(
    picture: PictureTokens,
    options: CaptionOptions = {},
    context: Context<'caption'> = {},
  ): Result<'caption'> {
    return this.#lasting.run((model, own) => caption(model, picture, options, own), context);
  }

  /** Answers a question; see `answer`. */
  async answer(
    question: string,
    picture: PictureTokens | null,
    options: AnswerOptions = {},
    context: Context<'answer'> = {},
  ): Result<'answer'> {
    return this.#lasting.run((model, own) => answer(model, question, picture, options, own), context);
  }

  /** Reads the text in a picture; see `readText`. */
  async readText(
    picture: PictureTokens,
    options: ReadTextOptions = {},
    context: Context<'readText'> = {},
  ): Result<'readText'> {
    return this.#lasting.run((model, own) => readText(model, picture, options, own), context);
  }

  /** Which of the classes a picture shows; see `classify`. */
  async classify(
    picture: PictureTokens,
    classes: readonly string[],
    options: ClassifyOptions = {},
    context: Context<'classify'> = {},
  ): Result<'classify'> {
    return this.#lasting.run((model, own) => classify(model, picture, classes, options, own), context);
  }

  /** Continues a text; see `continueText`. */
  async continueText(
    text: string,
    options: ContinueTextOptions = {},
    context: Context<'continueText'> = {},
  ): Result<'continueText'> {
    return this.#lasting.run((model, own) => continueText(model, text, options, own), context);
  }

  /** Ranks pictures by a text; see `rankImages`. */
  async rankImages(
    text: string,
    pictures: readonly PictureTokens[],
    options: RankOptions = {},
    context: Context<'rankImages'> = {},
  ): Result<'rankImages'> {
    return this.#lasting.run((model, own) => rankImages(model, text, pictures, options, own), context);
  }

  /** Ranks texts by a picture; see `rankTexts`. */
  async rankTexts(
    picture: PictureTokens,
    texts: readonly string[],
    options: RankTextsOptions = {},
    context: Context<'rankTexts'> = {},
  ): Result<'rankTexts'> {
    return this.#lasting.run((model, own) => rankTexts(model, picture, texts, options, own), context);
  }

  /** Perplexities of any sequence; see `perplexity`. */
  async perplexity(
    input: PerplexityInput,
    options: PerplexityOptions = {},
    context: Context<'perplexity'> = {},
  ): Result<'perplexity'> {
    return this.#lasting.run((model, own) => perplexity(model, input, options, own), context);
  }

  /** Frees what the model holds of the device, and devices that were requested since; the first device is the caller's. */
  dispose(): void {
    this.#lasting.dispose();
  }
}

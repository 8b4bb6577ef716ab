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

/** All tasks on one loaded model, each documented where it is written. One task at a time: they share the device. */
export class Engine {
  readonly model: LoadedModel;

  private constructor(model: LoadedModel) {
    this.model = model;
  }

  /** See `LoadedModel.load`. The image encoder is loaded by the first task that reads a picture. */
  static async load(gpu: Gpu, source: ModelSource, options: LoadOptions = {}): Promise<Engine> {
    return new Engine(await LoadedModel.load(gpu, source, options));
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
    return textToImage(this.model, prompt, options, context);
  }

  /** Draws part of a picture anew; see `inpaint`. */
  async inpaint(
    picture: PictureTokens,
    prompt: string,
    options: InpaintOptions = {},
    context: Context<'inpaint'> = {},
  ): Result<'inpaint'> {
    return inpaint(this.model, picture, prompt, options, context);
  }

  /** Describes a picture; see `caption`. */
  async caption(
    picture: PictureTokens,
    options: CaptionOptions = {},
    context: Context<'caption'> = {},
  ): Result<'caption'> {
    return caption(this.model, picture, options, context);
  }

  /** Answers a question; see `answer`. */
  async answer(
    question: string,
    picture: PictureTokens | null,
    options: AnswerOptions = {},
    context: Context<'answer'> = {},
  ): Result<'answer'> {
    return answer(this.model, question, picture, options, context);
  }

  /** Reads the text in a picture; see `readText`. */
  async readText(
    picture: PictureTokens,
    options: ReadTextOptions = {},
    context: Context<'readText'> = {},
  ): Result<'readText'> {
    return readText(this.model, picture, options, context);
  }

  /** Which of the classes a picture shows; see `classify`. */
  async classify(
    picture: PictureTokens,
    classes: readonly string[],
    options: ClassifyOptions = {},
    context: Context<'classify'> = {},
  ): Result<'classify'> {
    return classify(this.model, picture, classes, options, context);
  }

  /** Continues a text; see `continueText`. */
  async continueText(
    text: string,
    options: ContinueTextOptions = {},
    context: Context<'continueText'> = {},
  ): Result<'continueText'> {
    return continueText(this.model, text, options, context);
  }

  /** Ranks pictures by a text; see `rankImages`. */
  async rankImages(
    text: string,
    pictures: readonly PictureTokens[],
    options: RankOptions = {},
    context: Context<'rankImages'> = {},
  ): Result<'rankImages'> {
    return rankImages(this.model, text, pictures, options, context);
  }

  /** Ranks texts by a picture; see `rankTexts`. */
  async rankTexts(
    picture: PictureTokens,
    texts: readonly string[],
    options: RankTextsOptions = {},
    context: Context<'rankTexts'> = {},
  ): Result<'rankTexts'> {
    return rankTexts(this.model, picture, texts, options, context);
  }

  /** Perplexities of any sequence; see `perplexity`. */
  async perplexity(
    input: PerplexityInput,
    options: PerplexityOptions = {},
    context: Context<'perplexity'> = {},
  ): Result<'perplexity'> {
    return perplexity(this.model, input, options, context);
  }

  dispose(): void {
    this.model.dispose();
  }
}

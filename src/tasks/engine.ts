import type { Manifest } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import type { Gpu } from '../gpu/device';
import type { RgbaImage } from '../image/image';
import { caption } from './caption';
import { LoadedModel, type LoadOptions } from './loadedModel';
import { textToImage } from './textToImage';
import type {
  CaptionEvent,
  CaptionOptions,
  CaptionResult,
  TaskContext,
  TextToImageEvent,
  TextToImageOptions,
  TextToImageResult,
} from './types';

/** All tasks on one loaded model. One task at a time: they share the device. */
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
  textToImage(
    prompt: string,
    options: TextToImageOptions = {},
    context: TaskContext<TextToImageEvent> = {},
  ): Promise<TextToImageResult> {
    return textToImage(this.model, prompt, options, context);
  }

  /** Describes a picture; see `caption`. */
  caption(
    image: RgbaImage,
    options: CaptionOptions = {},
    context: TaskContext<CaptionEvent> = {},
  ): Promise<CaptionResult> {
    return caption(this.model, image, options, context);
  }

  dispose(): void {
    this.model.dispose();
  }
}

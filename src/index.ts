/**
 * rudolph-web: RUDOLPH in a browser tab.
 *
 * ```ts
 * import { Rudolph } from 'rudolph-web';
 *
 * const rudolph = await Rudolph.load('models/rudolph/');
 * const { images } = await rudolph.textToImage('красный круг');
 * const { texts } = await rudolph.caption(images[0]);
 * ```
 */
export { Rudolph } from './client/rudolph';
export type { InpaintOptions, LoadOptions, PerplexityInput, PictureOrTokens, TaskOptions } from './client/rudolph';
export { Task } from './client/task';
export { readPicture, toBlob, toImageData } from './client/pictures';
export type { Picture } from './client/pictures';
export { modelFiles } from './client/modelFiles';
export type { ModelFilesInput } from './client/modelFiles';
export { deleteModel, inspectFiles, listModels } from './client/storedModels';
export type { FilesReport } from './client/storedModels';
export type { ModelFile } from './format/modelFile';
export { RudolphError } from './errors';
export type { ErrorCode, ErrorDetails } from './errors';
export type { Notice, NoticeCode } from './notice';
export type {
  ConvertSettings,
  FileRole,
  LoadPlan,
  LoadProgress,
  ModelInfo,
  RudolphInfo,
  StoredModel,
} from './worker/api';
export type { AdapterDescription, GpuMemory, VariantChoice, Variants } from './gpu/variants';
export type { RgbaImage } from './image/image';
export type {
  AnswerOptions,
  AnswerResult,
  Borders,
  CaptionOptions,
  CaptionResult,
  ClassifyOptions,
  ClassifyResult,
  ContinueTextOptions,
  ContinueTextResult,
  NoticeEvent,
  PerplexityOptions,
  PerplexityResult,
  ProgressEvent,
  RankOptions,
  RankResult,
  RankTextsOptions,
  Ranking,
  ReadTextOptions,
  SamplingOptions,
  ScoreEvent,
  TaskName,
  TaskTypes,
  TextEvent,
  TextOptions,
  TextResult,
  TextToImageEvent,
  TextToImageOptions,
  TextToImageResult,
} from './tasks/types';

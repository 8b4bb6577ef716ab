import type { TestBench } from './bench';
import {
  codebookArgmax,
  conv2d,
  embedCodes,
  groupNormAffine,
  groupNormApply,
  groupNormMoments,
  imagePatches,
  imagePlanes,
  imageSoftmax,
  imageTranspose,
  inverseHaar,
} from './image';
import { linear } from './linear';
import { filterProbs, sample } from './sampling';
import { perplexities, tokenLosses } from './scoring';
import { attention, embed, layerNorm, residualNorm } from './transformer';

/**
 * For every kernel, by the name of its file: dispatches with known answers, in the variant that the bench's spec says. Answers are computed
 * in double precision where that takes a few lines, else stored. Inputs are small (a kernel's tiles and rounds are begun and left in the
 * middle all the same), so that all of them take a GPU some milliseconds.
 */
export const KNOWN_ANSWERS: Readonly<Record<string, (bench: TestBench) => void>> = {
  attention,
  attention_direct: attention,
  codebook_argmax: codebookArgmax,
  conv2d,
  conv2d_direct: conv2d,
  conv2d_subgroup: conv2d,
  embed,
  embed_codes: embedCodes,
  filter_probs: filterProbs,
  group_norm_affine: groupNormAffine,
  group_norm_apply: groupNormApply,
  group_norm_moments: groupNormMoments,
  image_patches: imagePatches,
  image_planes: imagePlanes,
  image_softmax: imageSoftmax,
  image_transpose: imageTranspose,
  inverse_haar: inverseHaar,
  layer_norm: layerNorm,
  matmul: linear,
  matmul_direct: linear,
  matmul_subgroup: linear,
  matvec: linear,
  perplexities,
  residual_norm: residualNorm,
  sample,
  token_losses: tokenLosses,
};

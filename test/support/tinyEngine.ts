import { Bundle } from '../../cli/parity/bundle';
import { convertBundle } from '../../cli/parity/convertBundle';
import { readImage } from '../../cli/support/images';
import type { ModelSource } from '../../src/format/modelSource';
import type { RgbaImage } from '../../src/image/image';

/** The random model tiny-a in memory, and a picture of its bundle. Node only. */
export async function openTiny(): Promise<{ readonly source: ModelSource; readonly picture: RgbaImage }> {
  const bundle = await Bundle.open('test/fixtures/tiny-a');
  return {
    source: await convertBundle(bundle, 'pytorch_model.bin'),
    picture: await readImage(bundle.path('image0.png')),
  };
}

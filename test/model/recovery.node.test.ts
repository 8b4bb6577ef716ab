import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelSource } from '../../src/format/modelSource';
import { Arena } from '../../src/gpu/buffers';
import { type Gpu, requestGpuAgain } from '../../src/gpu/device';
import type { RgbaImage } from '../../src/image/image';
import { Engine } from '../../src/tasks/engine';
import { randomNumbers } from '../support/compare';
import { openGpu } from '../support/gpu';
import { openTiny } from '../support/tinyEngine';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/*
 * A device that goes away at any moment of a task: the task must end as if nothing had happened. On the random model tiny-a, whose device
 * is destroyed without the engine's doing.
 */
let source: ModelSource;
let picture: RgbaImage;
beforeAll(async () => {
  ({ source, picture } = await openTiny());
});
afterEach(() => void vi.restoreAllMocks());

type AnyEvent = { readonly type: string; readonly stage?: string; readonly code?: string; readonly done?: number };
type Run = (engine: Engine, onEvent: (event: AnyEvent) => void) => Promise<unknown>;

const TASKS: Record<string, Run> = {
  'three pictures': (engine, onEvent) => engine.textToImage('кот', { count: 3, seed: 5 }, { onEvent }),
  'pictures in two branches, the best of which are kept': (engine, onEvent) =>
    engine.textToImage('кот', { count: 4, keep: 2, seed: 6, guidance: 0.3 }, { onEvent }),
  'part of a picture': (engine, onEvent) =>
    engine.inpaint(picture, 'кот', { borders: { up: 1 }, count: 2, seed: 7 }, { onEvent }),
  'captions, ranked': (engine, onEvent) =>
    engine.caption(picture, { count: 5, keep: 2, seed: 8, topK: 0 }, { onEvent }),
  continuations: (engine, onEvent) => engine.continueText('кот', { count: 3, seed: 9, topK: 0 }, { onEvent }),
  classes: (engine, onEvent) => engine.classify(picture, ['кот', 'дом'], {}, { onEvent }),
};

/** So that every step is due for a look at the tokens. */
function everyStepIsLookedAt(): void {
  let time = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (time += 1000));
}

async function open(renewals: { count: number } = { count: 0 }): Promise<{ engine: Engine; close: () => void }> {
  const gpu = await openGpu({ variants: 'base' });
  const engine = await Engine.load(gpu, source, {
    renew: async () => {
      renewals.count++;
      return openGpu({ variants: 'base' });
    },
  });
  return {
    engine,
    close: () => {
      engine.dispose();
      gpu.dispose();
    },
  };
}

/** Losses a task: a recovery costs seconds on a software adapter. RUDOLPH_LOSSES=1000 tries every moment. */
const LOSSES = Number(process.env['RUDOLPH_LOSSES'] ?? 1);

describe.each(Object.entries(TASKS))('%s', (title, run) => {
  it('come out the same when the device is lost at any event', { timeout: 300_000 + LOSSES * 20_000 }, async () => {
    everyStepIsLookedAt();
    const before = Arena.liveBytes;
    const renewals = { count: 0 };
    const { engine, close } = await open(renewals);
    const events: AnyEvent[] = [];
    const expected = await run(engine, (event) => events.push(event));
    const next = randomNumbers(title.length);
    const moments = Array.from({ length: Math.min(LOSSES, events.length) }, (_, k) =>
      LOSSES < events.length ? Math.floor(((next() + 1) / 2) * 0.8 * events.length) : k,
    );
    for (const moment of moments) {
      let told = 0;
      const notices: string[] = [];
      renewals.count = 0;
      const result = await run(engine, (event) => {
        if (event.type === 'notice') notices.push(event.code!);
        if (told++ === moment) engine.model.gpu.device.destroy();
      });
      expect(result, `lost at event ${moment} of ${events.length}`).toEqual(expected);
      // The last event may come when everything is computed.
      expect(renewals.count).toBeLessThanOrEqual(1);
      expect(notices.filter((code) => code === 'device-restored')).toHaveLength(renewals.count);
      if (moment < events.length / 2) expect(renewals.count).toBe(1);
    }
    close();
    // What the loss interrupted may still be cleaning up.
    await expect.poll(() => Arena.liveBytes).toBe(before);
  });
});

describe('a model whose device is lost while it loads', () => {
  const load = async (losses: number): Promise<{ engine: Promise<Engine>; opened: Gpu[] }> => {
    const opened = [await openGpu({ variants: 'base' })];
    const engine = Engine.load(opened[0]!, source, {
      renew: async () => {
        opened.push(await openGpu({ variants: 'base' }));
        return opened.at(-1)!;
      },
      onProgress: () => opened.length <= losses && opened.at(-1)!.device.destroy(),
    });
    return { engine, opened };
  };

  it('is loaded on another one, and draws', async () => {
    const before = Arena.liveBytes;
    const { engine: loading, opened } = await load(1);
    const engine = await loading;
    expect(opened).toHaveLength(2);
    expect(engine.model.gpu.device).toBe(opened[1]!.device);
    const { codebooks } = await engine.textToImage('кот', { seed: 5 });
    const { engine: other, close } = await open();
    expect((await other.textToImage('кот', { seed: 5 })).codebooks).toEqual(codebooks);
    close();
    engine.dispose();
    opened[0]!.dispose();
    await expect.poll(() => Arena.liveBytes).toBe(before);
  });

  it('says so when that one is lost, too', async () => {
    const before = Arena.liveBytes;
    const { engine, opened } = await load(2);
    await expect(engine).rejects.toMatchObject({ code: 'device-lost' });
    expect(opened).toHaveLength(2);
    opened[0]!.dispose();
    await expect.poll(() => Arena.liveBytes).toBe(before);
  });
});

describe('a drawing whose device is lost', () => {
  it('does not draw the tokens again that there were', async () => {
    everyStepIsLookedAt();
    const { engine, close } = await open();
    let draws = 0;
    const countDraws = (): void => {
      draws = 0;
      const { sampler } = engine.model;
      const record = sampler.record.bind(sampler);
      vi.spyOn(sampler, 'record').mockImplementation(async (...args) => {
        const dispatches = await record(...args);
        return dispatches.map((dispatch) => ({
          ...dispatch,
          // Read once for every time it is encoded.
          get workgroups() {
            draws++;
            return dispatch.workgroups;
          },
        }));
      });
    };
    countDraws();
    await engine.textToImage('кот', { seed: 5 });
    expect(draws).toBe(16);
    let known = 0;
    await engine.textToImage(
      'кот',
      { seed: 5 },
      {
        onEvent: (event) => {
          if (event.type === 'progress' && event.stage === 'tokens' && event.done >= 8 && known === 0) {
            known = event.done;
            engine.model.gpu.device.destroy();
          }
          if (event.type === 'notice') countDraws();
        },
      },
    );
    expect(known).toBeGreaterThanOrEqual(8);
    // More may have been looked at before the loss was noticed.
    expect(draws).toBeLessThanOrEqual(16 - known);
    close();
  });

  it('keeps its random seed', async () => {
    const { engine, close } = await open();
    let lost = false;
    const { seed, codebooks } = await engine.textToImage(
      'кот',
      {},
      {
        onEvent: (event) => {
          if (lost || event.type !== 'progress' || event.stage !== 'pictures') return;
          lost = true;
          engine.model.gpu.device.destroy();
        },
      },
    );
    expect(lost).toBe(true);
    expect((await engine.textToImage('кот', { seed })).codebooks).toEqual(codebooks);
    close();
  });

  it('tells of each finished picture once', async () => {
    const { engine, close } = await open();
    const told: number[] = [];
    await engine.textToImage(
      'кот',
      { count: 3, seed: 1 },
      {
        onEvent: (event) => {
          if (event.type === 'picture' && told.push(event.candidate) === 2) engine.model.gpu.device.destroy();
        },
      },
    );
    expect(told).toEqual([0, 1, 2]);
    close();
  });
});

describe('the engine', () => {
  it('does its next task when the device was lost between tasks', async () => {
    const renewals = { count: 0 };
    const { engine, close } = await open(renewals);
    const { codebooks } = await engine.textToImage('кот', { seed: 5 });
    engine.model.gpu.device.destroy();
    await engine.model.gpu.device.lost;
    const codes: string[] = [];
    const again = await engine.textToImage(
      'кот',
      { seed: 5 },
      { onEvent: (event) => void (event.type === 'notice' && codes.push(event.code)) },
    );
    expect(again.codebooks).toEqual(codebooks);
    expect(codes).toEqual(['device-restored']);
    expect(renewals.count).toBe(1);
    close();
  });

  it('gives up when the device is lost twice and nothing new came in between', async () => {
    const { engine, close } = await open();
    let losses = 0;
    const drawing = engine.textToImage(
      'кот',
      { seed: 5 },
      {
        onEvent: (event) => {
          if (event.type !== 'progress' || event.stage !== 'prompt' || event.done !== 0) return;
          losses++;
          engine.model.gpu.device.destroy();
        },
      },
    );
    await expect(drawing).rejects.toMatchObject({
      name: 'RudolphError',
      code: 'device-lost',
      message: expect.stringContaining('lost 2 times at the same place') as string,
      details: { times: 2 },
    });
    expect(losses).toBe(2);
    // Not the engine: the next task gets a device again.
    expect((await engine.textToImage('кот', { seed: 5 })).images).toHaveLength(1);
    close();
  });

  it('goes on through many losses as long as each time something new was drawn', async () => {
    everyStepIsLookedAt();
    const renewals = { count: 0 };
    const { engine, close } = await open(renewals);
    const { codebooks } = await engine.textToImage('кот', { seed: 5 });
    let most = 0;
    const again = await engine.textToImage(
      'кот',
      { seed: 5 },
      {
        onEvent: (event) => {
          if (event.type !== 'progress' || event.stage !== 'tokens' || event.done < most + 3) return;
          most = event.done;
          engine.model.gpu.device.destroy();
        },
      },
    );
    expect(again.codebooks).toEqual(codebooks);
    expect(renewals.count).toBeGreaterThanOrEqual(3);
    close();
  });

  it('loads again when the new device is lost while loading', async () => {
    const gpu = await openGpu({ variants: 'base' });
    let renewals = 0;
    const engine = await Engine.load(gpu, source, {
      renew: async () => {
        const another = await openGpu({ variants: 'base' });
        if (++renewals === 1) setTimeout(() => another.device.destroy(), 5);
        return another;
      },
    });
    const { codebooks } = await engine.textToImage('кот', { seed: 5 });
    gpu.device.destroy();
    await gpu.device.lost;
    expect((await engine.textToImage('кот', { seed: 5 })).codebooks).toEqual(codebooks);
    expect(renewals).toBe(2);
    engine.dispose();
  });

  it('says so where no other device can be had, and without means to ask for one', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const none = { requestAdapter: async () => null } as unknown as GPU;
    const engine = await Engine.load(gpu, source, { renew: () => requestGpuAgain(none, {}, { waits: [0, 1] }) });
    gpu.device.destroy();
    await expect(engine.textToImage('кот')).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringContaining('gives no other one') as string,
    });
    engine.dispose();

    const other = await openGpu({ variants: 'base' });
    const plain = await Engine.load(other, source);
    other.device.destroy();
    await expect(plain.textToImage('кот')).rejects.toMatchObject({ code: 'device-lost' });
    plain.dispose();
  });

  it('can be stopped while a new device is waited for', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const controller = new AbortController();
    const none = { requestAdapter: async () => null } as unknown as GPU;
    const engine = await Engine.load(gpu, source, {
      renew: (signal) => requestGpuAgain(none, {}, { ...(signal ? { signal } : {}), waits: [60_000] }),
    });
    gpu.device.destroy();
    const drawing = engine.textToImage('кот', {}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await expect(drawing).rejects.toMatchObject({ name: 'AbortError' });
    engine.dispose();
  });
});

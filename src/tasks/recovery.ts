import { RudolphError } from '../errors';
import { abortable } from '../gpu/abortable';
import type { Gpu } from '../gpu/device';
import { selfTestReport } from '../model/selfTest';
import { Journal } from './journal';
import type { LoadedModel } from './loadedModel';
import type { NoticeEvent, TaskContext } from './types';

/** So often a task is begun again although nothing new came of it: what is lost twice at the same place is lost because of it. */
const MOST_VAIN_LOSSES = 2;

export interface RecoveryOptions {
  /** A device in the place of one that was lost. Rejects with a RudolphError `device-lost` where there is none. */
  readonly renew: (signal?: AbortSignal) => Promise<Gpu>;
  /** Loads the model on it. */
  readonly load: (gpu: Gpu, signal?: AbortSignal) => Promise<LoadedModel>;
}

/**
 * A model that outlives its device. When the device is lost, during a task or before it, another one is requested, the weights are loaded
 * again (from storage, where they are stored), and the task begins again with what it had worked out: tokens that were drawn are not drawn
 * again, and the results are the same. Captions, scores and pictures being decoded begin again from the start of that part.
 */
export class LastingModel {
  #model: LoadedModel;
  readonly #options: RecoveryOptions | null;
  /** A device that was requested here; the first one is the caller's. */
  #renewed: Gpu | null;
  #renewing: Promise<void> | null = null;
  #disposed = false;

  private constructor(model: LoadedModel, options: RecoveryOptions | null, renewed: Gpu | null) {
    this.#model = model;
    this.#options = options;
    this.#renewed = renewed;
  }

  /**
   * Loads a model, on another device where the first one is lost meanwhile; once, for what is lost twice is lost because of the model.
   * @param renew absent: a lost device is not replaced, neither now nor later.
   * @throws what `load` throws, `renew`, and the signal's reason.
   */
  static async load(
    gpu: Gpu,
    load: RecoveryOptions['load'],
    renew?: RecoveryOptions['renew'],
    signal?: AbortSignal,
  ): Promise<LastingModel> {
    const options = renew ? { renew, load } : null;
    try {
      return new LastingModel(await load(gpu, signal), options, null);
    } catch (error) {
      signal?.throwIfAborted();
      if (!renew || !isLoss(error)) throw error;
    }
    const renewed = await renew(signal);
    try {
      return new LastingModel(await load(renewed, signal), options, renewed);
    } catch (error) {
      renewed.dispose();
      throw error;
    }
  }

  /** As it is now: another one after a loss. */
  get current(): LoadedModel {
    return this.#model;
  }

  /**
   * Runs a task, again after a loss.
   * @throws what the task throws; RudolphError `device-lost` where no other device can be had, or when the device is lost twice without
   *   anything new in between; the signal's reason as soon as there is one.
   */
  async run<Event, Result>(
    task: (model: LoadedModel, context: TaskContext<Event>) => Promise<Result>,
    { signal, onEvent }: TaskContext<Event>,
  ): Promise<Result> {
    const journal = new Journal();
    const told = new Set<string>();
    const tell = (event: Event): void => {
      if (isNew(event, told)) onEvent?.(event);
    };
    let best = 0;
    let vain = 0;
    for (;;) {
      const controller = new AbortController();
      const stop = (): void => controller.abort(signal?.reason);
      signal?.addEventListener('abort', stop, { once: true });
      if (signal?.aborted) stop();
      try {
        const model = await this.#usable(tell, signal);
        const context: TaskContext<Event> = {
          signal: controller.signal,
          attempt: journal.begin(),
          onEvent: (event) => controller.signal.aborted || tell(event),
        };
        return await abortable(model.gpu.failure.race(task(model, context), signal), signal);
      } catch (error) {
        signal?.throwIfAborted();
        controller.abort(error); // what the device's failure ended may still be at work
        if (!isLoss(error) || !this.#options || this.#disposed) throw withReport(error, this.#model);
        vain = journal.progress > best ? 0 : vain + 1;
        best = Math.max(best, journal.progress);
        if (vain >= MOST_VAIN_LOSSES) throw lostAgain(error);
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#model.dispose();
    this.#renewed?.dispose();
  }

  /** The model on a device that is there. */
  async #usable<Event>(tell: (event: Event) => void, signal: AbortSignal | undefined): Promise<LoadedModel> {
    const lost = this.#model;
    const { failure } = lost.gpu;
    if (!failure.lost || !this.#options) return lost;
    // One at a time: tasks that run at the same time lose the same device.
    while (this.#renewing) await this.#renewing.catch(() => undefined);
    if (this.#model === lost) {
      const renewing = this.#replace(signal);
      this.#renewing = renewing;
      try {
        await renewing;
      } finally {
        this.#renewing = null;
      }
    }
    const reason = failure.reason;
    const notice: NoticeEvent = {
      type: 'notice',
      code: 'device-restored',
      message: `the graphics device was lost (${reason}); another one was found, and the work goes on where it was`,
      details: { reason },
    };
    tell(notice as Event); // every task's events include notices
    return this.#model;
  }

  async #replace(signal: AbortSignal | undefined): Promise<void> {
    const { renew, load } = this.#options!;
    this.#model.dispose();
    this.#renewed?.dispose();
    this.#renewed = null;
    const gpu = await renew(signal);
    try {
      const model = await load(gpu, signal);
      if (this.#disposed) {
        model.dispose();
        throw new DOMException('the model was disposed of', 'AbortError');
      }
      this.#model = model;
      this.#renewed = gpu;
    } catch (error) {
      gpu.dispose();
      throw error;
    }
  }
}

/** Whether an event is to be told: a task that begins again notices the same things again. */
function isNew(event: unknown, told: Set<string>): boolean {
  const { type, code, message } = event as Partial<NoticeEvent>;
  if (type !== 'notice' || code === 'device-restored') return true;
  const key = `${code} ${message}`;
  return !told.has(key) && told.add(key) !== undefined;
}

function isLoss(error: unknown): error is RudolphError {
  return error instanceof RudolphError && error.code === 'device-lost' && error.details['replaceable'] !== false;
}

/** An error for which the device is to blame, with what the kernels' tests said about it. */
function withReport(error: unknown, { gpu }: LoadedModel): unknown {
  if (!(error instanceof RudolphError) || error.code !== 'self-test' || 'report' in error.details) return error;
  const report = `${error.message}\n${selfTestReport(gpu)}`;
  return new RudolphError(error.code, error.message, { ...error.details, report }, { cause: error });
}

function lostAgain(error: RudolphError): RudolphError {
  return new RudolphError(
    'device-lost',
    `the graphics device was lost ${MOST_VAIN_LOSSES} times at the same place (${String(error.details['message'] || error.details['reason'])}): draw or write fewer at once, take a smaller model, or look for a newer graphics driver`,
    { ...error.details, times: MOST_VAIN_LOSSES },
    { cause: error },
  );
}

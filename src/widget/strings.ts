import type { ErrorCode } from '../index';
import type { WidgetProgress, WidgetTask } from './api';

/** Why a run cannot begin; these are the widget's own errors, the library has others. */
export type Problem = 'no-model' | 'no-files' | 'no-prompt' | 'no-picture' | 'no-classes' | 'bad-task';

/** What a widget says. */
export interface Strings {
  readonly start: Readonly<Record<WidgetTask, string>>;
  readonly prompt: Readonly<Record<'draw' | 'answer' | 'continue', string>>;
  readonly stop: string;
  readonly picture: string;
  readonly choosePicture: string;
  readonly otherPicture: string;
  readonly ownModel: string;
  readonly ownModelGiven: string;
  readonly ownModelHint: string;
  readonly chooseFiles: string;
  readonly chooseFolder: string;
  readonly save: string;
  readonly drawn: (prompt: string, number: number, count: number) => string;
  readonly firstTime: string;
  readonly software: string;
  readonly cut: (used: number, total: number) => string;
  readonly untrained: string;
  readonly restored: string;
  readonly stages: Readonly<Record<WidgetProgress['stage'], string>>;
  readonly ofBytes: (done: string, total: string) => string;
  readonly progress: string;
  readonly stopped: string;
  readonly done: string;
  readonly empty: string;
  readonly details: string;
  readonly problems: Readonly<Record<Problem, string>>;
  readonly errors: Readonly<Record<ErrorCode, string>>;
  readonly unknownError: string;
}

const RU: Strings = {
  start: {
    draw: 'Нарисовать',
    caption: 'Описать',
    answer: 'Ответить',
    read: 'Прочитать',
    classify: 'Выбрать',
    continue: 'Продолжить',
  },
  prompt: { draw: 'Что нарисовать', answer: 'Вопрос', continue: 'Начало текста' },
  stop: 'Остановить',
  picture: 'Картинка',
  choosePicture: 'Выберите картинку или перетащите её сюда',
  otherPicture: 'Выбрать другую картинку',
  ownModel: 'Своя модель',
  ownModelGiven: 'Своя модель выбрана',
  ownModelHint:
    'Папка от конвертера или все файлы сразу: pytorch_model.bin, VQGAN, bpe.model. Преобразуются здесь, никуда не отправляются.',
  chooseFiles: 'Файлы',
  chooseFolder: 'Папка',
  save: 'Сохранить PNG',
  drawn: (prompt, number, count) => (count > 1 ? `${prompt}, картинка ${number} из ${count}` : prompt),
  firstTime: 'При первом запуске модель загрузится в браузер.',
  software: 'Браузер считает без видеокарты: придётся подождать.',
  cut: (used, total) => `Текст слишком длинный: прочитаны первые ${used} из ${total} токенов.`,
  untrained: 'Эта модель такому не училась: получится случайное.',
  restored: 'Видеокарта на миг отключилась; работа продолжается с того же места.',
  stages: {
    files: 'Смотрю на файлы',
    copy: 'Сохраняю модель',
    convert: 'Преобразую модель',
    preview: 'Готовлю предпросмотр',
    manifest: 'Открываю модель',
    download: 'Загружаю модель',
    compile: 'Готовлю видеокарту',
    queue: 'Жду очереди',
    image: 'Смотрю на картинку',
    prompt: 'Читаю начало',
    tokens: 'Работаю',
    scores: 'Сравниваю',
    pictures: 'Проявляю',
  },
  ofBytes: (done, total) => `${done} из ${total}`,
  progress: 'Ход работы',
  stopped: 'Остановлено',
  done: 'Готово',
  empty: '(пусто)',
  details: 'Подробнее',
  problems: {
    'no-model': 'Странице нужно назвать модель: model="…".',
    'no-files': 'Выберите файлы или папку своей модели.',
    'no-prompt': 'Напишите что-нибудь по-русски.',
    'no-picture': 'Выберите картинку.',
    'no-classes': 'Странице нужно назвать классы: classes="кот, собака".',
    'bad-task': 'Такой задачи нет: проверьте task="…".',
  },
  errors: {
    'bad-input': 'С такими данными не получится.',
    'bad-checkpoint': 'Файл повреждён.',
    'bad-model': 'Файлы модели повреждены или неполны.',
    download: 'Не удалось загрузить модель.',
    storage: 'Не удалось сохранить модель в памяти браузера.',
    'no-webgpu': 'Этому браузеру недоступен WebGPU. Подойдут Chrome или Edge от 113, Safari от 26, Firefox от 141.',
    'device-lost': 'Видеокарта отключилась. Запустите ещё раз.',
    'out-of-memory': 'Не хватило памяти видеокарты.',
    'self-test': 'Видеокарта или её драйвер считают неверно.',
    unsupported: 'Эта модель такого не умеет.',
    worker: 'Рабочий поток не запустился или остановился. Запустите ещё раз.',
  },
  unknownError: 'Что-то пошло не так.',
};

const EN: Strings = {
  start: {
    draw: 'Draw',
    caption: 'Describe',
    answer: 'Answer',
    read: 'Read',
    classify: 'Choose',
    continue: 'Continue',
  },
  prompt: { draw: 'What to draw, in Russian', answer: 'Question, in Russian', continue: 'How a Russian text begins' },
  stop: 'Stop',
  picture: 'Picture',
  choosePicture: 'Choose a picture or drop one here',
  otherPicture: 'Choose another picture',
  ownModel: 'A model of your own',
  ownModelGiven: 'A model of your own is chosen',
  ownModelHint:
    'The converter’s folder, or all files at once: pytorch_model.bin, VQGAN, bpe.model. They are converted here and sent nowhere.',
  chooseFiles: 'Files',
  chooseFolder: 'Folder',
  save: 'Save as PNG',
  drawn: (prompt, number, count) => (count > 1 ? `${prompt}, picture ${number} of ${count}` : prompt),
  firstTime: 'The first start downloads the model into your browser.',
  software: 'Your browser computes without a graphics card: this takes a while.',
  cut: (used, total) => `The text is too long: only its first ${used} of ${total} tokens were read.`,
  untrained: 'This model was not trained for that: what comes is random.',
  restored: 'The graphics card was gone for a moment; the work goes on where it was.',
  stages: {
    files: 'Looking at the files',
    copy: 'Storing the model',
    convert: 'Converting the model',
    preview: 'Preparing previews',
    manifest: 'Opening the model',
    download: 'Downloading the model',
    compile: 'Preparing the graphics card',
    queue: 'Waiting for its turn',
    image: 'Looking at the picture',
    prompt: 'Reading the beginning',
    tokens: 'Working',
    scores: 'Comparing',
    pictures: 'Developing',
  },
  ofBytes: (done, total) => `${done} of ${total}`,
  progress: 'Progress',
  stopped: 'Stopped',
  done: 'Done',
  empty: '(empty)',
  details: 'Details',
  problems: {
    'no-model': 'The page has to name a model: model="…".',
    'no-files': 'Choose the files or the folder of your model.',
    'no-prompt': 'Write something in Russian.',
    'no-picture': 'Choose a picture.',
    'no-classes': 'The page has to name classes: classes="кот, собака".',
    'bad-task': 'There is no such task: see task="…".',
  },
  errors: {
    'bad-input': 'That cannot be done.',
    'bad-checkpoint': 'The file is damaged.',
    'bad-model': 'The files of the model are damaged or incomplete.',
    download: 'The model could not be downloaded.',
    storage: 'The model could not be stored in the browser.',
    'no-webgpu': 'This browser offers no WebGPU. Chrome or Edge 113+, Safari 26+ and Firefox 141+ do.',
    'device-lost': 'The graphics card went away. Start again.',
    'out-of-memory': 'The graphics card is out of memory.',
    'self-test': 'The graphics card or its driver computes wrongly.',
    unsupported: 'This model cannot do that.',
    worker: 'The worker did not start, or stopped. Start again.',
  },
  unknownError: 'Something went wrong.',
};

/** Russian for Russian pages, English for all others. */
export function stringsFor(language: string): Strings {
  return isRussian(language) ? RU : EN;
}

export function isRussian(language: string): boolean {
  return /^ru\b/i.test(language);
}

/** The language of the place where an element stands; where none is declared, the browser's. */
export function languageAt(element: Element): string {
  for (let at: Element | null = element; at;) {
    const declared: Element | null = at.closest('[lang]');
    if (declared) return declared.getAttribute('lang')!;
    const root: Node = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return navigator.language;
}

import { expose } from 'comlink';
import { WorkerHost } from './host';

expose(new WorkerHost());

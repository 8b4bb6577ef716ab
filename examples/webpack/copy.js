// What webpack does not bundle: the page and the model, which comes with the package.
import { cpSync } from 'node:fs';

cpSync('index.html', 'dist/index.html');
cpSync('node_modules/rudolph-web/public/models/embedded', 'dist/models/embedded', { recursive: true });

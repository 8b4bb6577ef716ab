// Puts together what the page is made of: itself, the library as it is published, and a model.
import { cpSync } from 'node:fs';

cpSync('index.html', 'dist/index.html');
cpSync('node_modules/rudolph-web/dist/lib', 'dist/rudolph-web', { recursive: true });
cpSync('node_modules/rudolph-web/public/models/embedded', 'dist/models/embedded', { recursive: true });

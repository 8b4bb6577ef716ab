// The model comes with the package; Vite serves what lies in public/.
import { cpSync } from 'node:fs';

cpSync('node_modules/rudolph-web/public/models/embedded', 'public/models/embedded', { recursive: true });

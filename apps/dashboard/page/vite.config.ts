import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** `npm run build:page`. Imports like `#math/…` resolve through package.json, to the sources. */
export default defineConfig({
  root: here('.'),
  resolve: { conditions: ['source', 'module', 'browser', 'import', 'default'] },
  build: {
    outDir: here('../../../dist/apps/dashboard/page'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  // For work on the page itself: the service runs beside it.
  server: { proxy: { '/api': 'http://127.0.0.1:7580', '/socket.io': { target: 'http://127.0.0.1:7580', ws: true } } },
});

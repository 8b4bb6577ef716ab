// Nothing special: webpack finds the worker by itself and puts it beside the bundle.
export default {
  mode: 'production',
  entry: './src/main.js',
  output: { path: `${import.meta.dirname}/dist`, filename: 'main.js' },
};

// Compiles every combination of kernel and parts that the engine makes (test/support/kernels.ts) with naga, Firefox's compiler of
// WGSL, and fails when one is refused. Needs Python with `pip install wgpu`, and a Vulkan driver with shader-f16.
// Usage: [PYTHON=python3] npm run check:naga
import { spawnSync } from 'node:child_process';
import { runnerImport } from 'vite';

const load = async (file) => (await runnerImport(file)).module;
const { composeShader } = await load('./src/gpu/shaders.ts');
const { kernelSpecs, kernelTitle } = await load('./test/support/kernels.ts');

const shaders = new Map();
// Not those with subgroups: Firefox offers no such feature, and takes the base.
for (const f16 of [false, true]) {
  for (const spec of kernelSpecs({ f16, subgroups: false })) {
    const code = composeShader(spec.name, spec.parts, spec.consts);
    const constants = spec.constants ?? {};
    // Kernels that read no weights are in both tables.
    shaders.set(code + JSON.stringify(constants), {
      title: kernelTitle(spec),
      code,
      constants,
      f16: /^enable f16/m.test(code),
    });
  }
}
const { status, error } = spawnSync(process.env.PYTHON ?? 'python3', ['scripts/check_naga.py'], {
  input: JSON.stringify([...shaders.values()]),
  stdio: ['pipe', 'inherit', 'inherit'],
});
if (error) process.stderr.write(`check:naga: ${error.message}\n`);
process.exitCode = status ?? 1;

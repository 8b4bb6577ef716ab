import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import { composeShader, shaderNames, shaderSource } from '../../src/gpu/shaders';
import { BASE_VARIANTS } from '../../src/gpu/variants';
import { openGpu } from '../support/gpu';
import { kernelSpecs, kernelTitle } from '../support/kernels';
import { leanShader } from '../../vite.wgsl';

/** Words, numbers, operators (the longest that fits, as WGSL reads them), anything else; and where lines of `#each` end. */
const tokens = (code: string): string[] =>
  code
    .replaceAll(/\/\/.*$/gm, '')
    .match(/^[ \t]*#.*$|[\w$]+(?:\.\d\w*)?|->|<<=|>>=|<<|>>|&&|\|\||\+\+|--|\/\*|\/\/|[-+*/%&|^=!<>]=|[^\s\w]/gm)!
    .map((token) => token.trim());

it.each(shaderNames())('%s: leaving out spaces and comments leaves every token', (name) => {
  expect(tokens(leanShader(shaderSource(name)))).toEqual(tokens(shaderSource(name)));
});

it('would notice tokens that grow together', () => {
  expect(tokens('a = b - -c;')).not.toEqual(tokens('a=b--c;'));
  expect(tokens('vec4<vec2<f32> >(x)')).not.toEqual(tokens('vec4<vec2<f32>>(x)'));
  expect(tokens('a / *b')).not.toEqual(tokens('a/*b'));
});

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ variants: 'base' });
});
afterAll(() => gpu.dispose());

it('the lean form of every kernel compiles', async () => {
  for (const spec of kernelSpecs(BASE_VARIANTS)) {
    const code = leanShader(composeShader(spec.name, spec.parts, spec.consts));
    const info = await gpu.device.createShaderModule({ code }).getCompilationInfo();
    expect(
      info.messages.map(({ message }) => message),
      kernelTitle(spec),
    ).toEqual([]);
  }
});

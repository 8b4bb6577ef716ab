import { describe, expect, it } from 'vitest';
import { openGpu } from '../support/gpu';
import { testVariants } from '../support/variants';

describe.each(await testVariants())('a device, $name', ({ variants }) => {
  it('runs a shader that reads fp16 pairs and has override-sized workgroup memory', async () => {
    const gpu = await openGpu({ variants });
    expect(gpu.variants).toEqual(variants);
    const code = `
      override WORKGROUP: u32 = 4;
      @group(0) @binding(0) var<storage, read> x: array<u32>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      var<workgroup> sums: array<f32, WORKGROUP>;
      @compute @workgroup_size(WORKGROUP) fn main(@builtin(local_invocation_index) i: u32) {
        let pair = unpack2x16float(x[i]);
        sums[i] = pair.x + pair.y;
        workgroupBarrier();
        y[i] = sums[WORKGROUP - 1 - i];
      }`;
    const { device } = gpu;
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code }), constants: { WORKGROUP: 8 } },
    });
    const x = device.createBuffer({ size: 32, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
    const y = device.createBuffer({ size: 32, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer({ size: 32, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    // 0x3c00 is 1, 0x4000 + 64·i is 2 + i/8
    device.queue.writeBuffer(
      x,
      0,
      Uint32Array.from({ length: 8 }, (_, i) => 0x3c00 | ((0x4000 + 64 * i) << 16)),
    );
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(y, 0, staging, 0, 32);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const got = [...new Float32Array(staging.getMappedRange())];
    gpu.dispose();
    expect(got).toEqual(Array.from({ length: 8 }, (_, i) => 3 + (7 - i) / 8));
  });
});

describe('a device on the base path', () => {
  it('is requested with default limits and no features', async () => {
    const gpu = await openGpu({ variants: 'base' });
    expect([...gpu.device.features].filter((name) => name !== ('core-features-and-limits' as string))).toEqual([]);
    expect(gpu.device.limits.maxStorageBuffersPerShaderStage).toBe(8);
    expect(gpu.device.limits.maxComputeInvocationsPerWorkgroup).toBe(256);
    expect(gpu.device.limits.maxComputeWorkgroupStorageSize).toBe(16384);
    expect(gpu.device.limits.maxStorageBufferBindingSize).toBe(134_217_728);
    gpu.dispose();
  });
});

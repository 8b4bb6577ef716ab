"""Compiles shaders with naga, Firefox's compiler of WGSL: python scripts/check_naga.py < shaders.json

Reads [{"title", "code", "constants", "f16"}, …], makes a module and a compute pipeline of each, as a page in Firefox would, and prints
what is refused. Needs `pip install wgpu` and a Vulkan driver (a software one does, e.g. Mesa's lavapipe).
"""

import json
import sys

try:
    import wgpu
    from wgpu.backends.wgpu_native import lib_version_info
except ImportError:
    sys.exit("check:naga needs the Python package wgpu: pip install wgpu (PYTHON names another interpreter)")


def refusal(device: wgpu.GPUDevice, shader: dict) -> str | None:
    """The compiler's message, or None."""
    try:
        module = device.create_shader_module(label=shader["title"], code=shader["code"])
        compute = {"module": module, "entry_point": "main", "constants": shader["constants"]}
        # Overrides only count when the pipeline is made; so do the limits of a device that asked for none.
        device.create_compute_pipeline(layout="auto", compute=compute)
    except wgpu.GPUError as error:
        return str(error).strip()
    return None


def main() -> None:
    shaders = json.load(sys.stdin)
    adapter = wgpu.gpu.request_adapter_sync()
    print(f"naga of wgpu-native {'.'.join(map(str, lib_version_info[:3]))} (wgpu-py {wgpu.__version__}), on {adapter.info['device']}")
    failed = 0
    for f16 in (False, True):
        features = ["shader-f16"] if f16 else []
        if f16 and "shader-f16" not in adapter.features:
            sys.exit("this adapter has no shader-f16: half of the shaders cannot be tried (lavapipe of Mesa 25 has it)")
        device = adapter.request_device_sync(required_features=features)
        chosen = [shader for shader in shaders if shader["f16"] == f16]
        for shader in chosen:
            message = refusal(device, shader)
            if message:
                failed += 1
                print(f"REFUSED: {shader['title']}\n{message}\n")
        print(f"{'f16' if f16 else 'base'}: {len(chosen)} shaders")
    print(f"{len(shaders)} shaders, {failed} refused")
    sys.exit(1 if failed or not shaders else 0)


if __name__ == "__main__":
    main()

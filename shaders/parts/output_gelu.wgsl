// y[row, column] = GELU(value), in its tanh form (upstream's gelu_impl).
@group(2) @binding(0) var<storage, read_write> output_y: array<f32>; // (rows, columns)

fn store_output(row: u32, column: u32, columns: u32, value: f32) {
  // tanh saturates in f32 long before 15; without the clamp exp overflows on some devices and gives NaN.
  let inner = clamp(0.7978845608028654 * value * (1.0 + 0.044715 * value * value), -15.0, 15.0);
  output_y[row * columns + column] = 0.5 * value * (1.0 + tanh(inner));
}

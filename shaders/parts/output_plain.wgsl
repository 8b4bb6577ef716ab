// y[row, column] = value
@group(2) @binding(0) var<storage, read_write> output_y: array<f32>; // (rows, columns)

fn store_output(row: u32, column: u32, columns: u32, value: f32) {
  output_y[row * columns + column] = value;
}

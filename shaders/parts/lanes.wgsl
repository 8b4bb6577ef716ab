enable subgroups;
// What the eight lanes of a subgroup hold, one value each, given to all of them: eight values with one load. All lanes must take part.
fn from_lanes0_to_3(mine: f32) -> vec4<f32> {
  return vec4(
    subgroupBroadcast(mine, 0u),
    subgroupBroadcast(mine, 1u),
    subgroupBroadcast(mine, 2u),
    subgroupBroadcast(mine, 3u),
  );
}

fn from_lanes4_to_7(mine: f32) -> vec4<f32> {
  return vec4(
    subgroupBroadcast(mine, 4u),
    subgroupBroadcast(mine, 5u),
    subgroupBroadcast(mine, 6u),
    subgroupBroadcast(mine, 7u),
  );
}

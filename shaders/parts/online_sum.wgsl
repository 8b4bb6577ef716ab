// A sum of exponentials that grows in any order without overflow: Σ exp(value) = total · exp(maximum).
struct OnlineSum { maximum: f32, total: f32 }

const ONLINE_NOTHING = OnlineSum(-3.0e38, 0.0);

// exp(value − maximum), and exactly 1 where they are equal: exp(0) itself may be off by a few units in the last place, and
// a loss of exactly 0 counts as none.
fn online_exp(value: f32, maximum: f32) -> f32 {
  return select(exp(value - maximum), 1.0, value == maximum);
}

fn online_merge(a: OnlineSum, b: OnlineSum) -> OnlineSum {
  let maximum = max(a.maximum, b.maximum);
  return OnlineSum(maximum, a.total * online_exp(a.maximum, maximum) + b.total * online_exp(b.maximum, maximum));
}

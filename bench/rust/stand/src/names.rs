//! Whom callers ask for: the names are those of every other language's stand.

/// A caller's request: whose call it is and who is called.
#[derive(Clone)]
pub struct Request {
    pub tenant: String,
    pub provider: &'static str,
}

/// Requests, again and again in the same order. They are read one after the other, as a server's are hot when they are
/// looked up: what is timed is the registry, not the fetching of the question.
pub struct Requests<T> {
    all: Vec<T>,
    next: usize,
}

/// The `i`-th name of all.
pub fn name(i: u64) -> Request {
    const PROVIDERS: [&str; 8] = ["openai", "anthropic", "gemini", "mistral", "cohere", "bedrock", "azure", "groq"];
    Request { tenant: format!("tenant-{:07}", i / 8), provider: PROVIDERS[(i % 8) as usize] }
}

/// Requests for `keys` names, drawn at random, in the form in which a peer wants them.
pub fn requests<T>(keys: u64, seed: u64, form: impl Fn(Request) -> T) -> Requests<T> {
    const FEWEST: u64 = 1 << 14; // few names in a short, repeating order would be learnt by the branch predictor
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed + 1);
    let draw = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        form(name(state % keys))
    };
    Requests { all: (0..keys.max(FEWEST)).map(draw).collect(), next: 0 }
}

impl<T> Requests<T> {
    /// Each of these names in its turn.
    pub fn in_turn(names: u64, form: impl Fn(Request) -> T) -> Self {
        Requests { all: (0..names).map(|i| form(name(i))).collect(), next: 0 }
    }

    #[allow(clippy::should_implement_trait)] // it never ends: no Option to unwrap in what is timed
    pub fn next(&mut self) -> &T {
        let request = &self.all[self.next];
        self.next += 1;
        if self.next == self.all.len() {
            self.next = 0;
        }
        request
    }
}

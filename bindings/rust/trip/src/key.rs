//! Keys: whose circuit it is and who is called. Short ones lie where they are kept, so that finding a circuit allocates
//! nothing, and neither does saying which circuit refused; long ones are shared.

use std::fmt;
use std::sync::Arc;

/// With its lengths and its mark, five machine words: a [`Rejected`](crate::Rejected) carries one.
const SHORT: usize = 37;

#[derive(Clone)]
pub(crate) enum Key {
    Short { tenant: u8, provider: u8, bytes: [u8; SHORT] },
    Long { tenant: usize, bytes: Shared },
}

/// Bytes that are let go by value: a key whose address is taken where it is dropped would keep whatever holds it, or
/// could have held it, in memory: the permit that was granted instead of a refusal too.
#[derive(Clone)]
pub(crate) struct Shared(Option<Arc<[u8]>>);

impl Shared {
    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Drop for Shared {
    #[inline]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn let_go(bytes: Arc<[u8]>) {
            drop(bytes);
        }
        if let Some(bytes) = self.0.take() {
            let_go(bytes);
        }
    }
}

impl Key {
    #[inline]
    pub(crate) fn new(tenant: &[u8], provider: &[u8]) -> Self {
        let mut key = Key::Short { tenant: 0, provider: 0, bytes: [0; SHORT] };
        key.set(tenant, provider);
        key
    }

    /// Written where it lies: to move a key at once, in wider steps than it was written in, would take longer.
    #[inline(never)]
    fn set(&mut self, tenant: &[u8], provider: &[u8]) {
        let whole = tenant.len() + provider.len();
        match (self, u8::try_from(tenant.len()), u8::try_from(provider.len())) {
            (Key::Short { tenant: tenant_length, provider: provider_length, bytes }, Ok(first), Ok(second))
                if whole <= SHORT =>
            {
                (*tenant_length, *provider_length) = (first, second);
                bytes[..tenant.len()].copy_from_slice(tenant);
                bytes[tenant.len()..whole].copy_from_slice(provider);
            }
            (key, ..) => {
                *key = Key::Long { tenant: tenant.len(), bytes: Shared(Some([tenant, provider].concat().into())) };
            }
        }
    }

    pub(crate) fn tenant(&self) -> &[u8] {
        self.parts().0
    }

    pub(crate) fn provider(&self) -> &[u8] {
        self.parts().1
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        match self {
            Key::Short { tenant, provider, bytes } => {
                let (tenant, rest) = bytes.split_at(usize::from(*tenant));
                (tenant, &rest[..usize::from(*provider)])
            }
            Key::Long { tenant, bytes } => bytes.bytes().split_at(*tenant),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("tenant", &format_args!("\"{}\"", self.tenant().escape_ascii()))
            .field("provider", &format_args!("\"{}\"", self.provider().escape_ascii()))
            .finish()
    }
}

const _: () = assert!(size_of::<Key>() == 40);

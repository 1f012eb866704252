/* Foreign functions, as foreign.h describes them, through libffi. */
#include "foreign.h"

#ifdef TRIP_WITH_LIBFFI

#include "alloc.h"
#include "process.h"

#include <errno.h>
#include <ffi.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct trip_foreign {
    trip_function function;
    trip_type result;
    _Atomic(trip_function) made; /* NULL: nobody has asked for it. Set with the process locked */
    trip_answer answer;
    uint64_t context;
    trip_foreign *next; /* of those that have one */
    ffi_cif cif;
    ffi_type *parameters[];
};

static ffi_type *const types[TRIP_TYPES] = {
    [TRIP_TYPE_VOID] = &ffi_type_void,     [TRIP_TYPE_INT8] = &ffi_type_sint8,
    [TRIP_TYPE_UINT8] = &ffi_type_uint8,   [TRIP_TYPE_INT16] = &ffi_type_sint16,
    [TRIP_TYPE_UINT16] = &ffi_type_uint16, [TRIP_TYPE_INT32] = &ffi_type_sint32,
    [TRIP_TYPE_UINT32] = &ffi_type_uint32, [TRIP_TYPE_INT64] = &ffi_type_sint64,
    [TRIP_TYPE_UINT64] = &ffi_type_uint64, [TRIP_TYPE_FLOAT] = &ffi_type_float,
    [TRIP_TYPE_DOUBLE] = &ffi_type_double, [TRIP_TYPE_POINTER] = &ffi_type_pointer,
};

trip_status trip_foreign_make(trip_function function, const trip_signature *signature, trip_foreign **out_foreign)
{
    trip_foreign *f = trip_allocate(sizeof *f + signature->count * sizeof *f->parameters);
    if (f == NULL)
        return TRIP_E_NOMEM;
    f->function = function;
    f->result = signature->result;
    for (uint32_t i = 0; i < signature->count; i++)
        f->parameters[i] = types[signature->parameters[i]];
    if (ffi_prep_cif(&f->cif, FFI_DEFAULT_ABI, signature->count, types[f->result], f->parameters) != FFI_OK) {
        trip_release(f);
        return TRIP_E_UNSUPPORTED;
    }
    *out_foreign = f;
    return TRIP_OK;
}

void trip_foreign_release(trip_foreign *foreign)
{
    if (atomic_load_explicit(&foreign->made, memory_order_acquire) == NULL)
        trip_release(foreign);
}

trip_type trip_foreign_result(const trip_foreign *foreign)
{
    return foreign->result;
}

uint32_t trip_foreign_count(const trip_foreign *foreign)
{
    return foreign->cif.nargs;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

/* libffi hands integers that are narrower than a register over as a whole one, at both ends of a call. */
typedef union wide {
    ffi_arg bits;
    trip_result exact;
} wide;

static trip_result narrowed(trip_type type, const wide *from)
{
    switch (type) {
    case TRIP_TYPE_INT8:
    case TRIP_TYPE_UINT8:
        return (trip_result){.uint8 = (uint8_t)from->bits};
    case TRIP_TYPE_INT16:
    case TRIP_TYPE_UINT16:
        return (trip_result){.uint16 = (uint16_t)from->bits};
    case TRIP_TYPE_INT32:
    case TRIP_TYPE_UINT32:
        return (trip_result){.uint32 = (uint32_t)from->bits};
    case TRIP_TYPE_POINTER:
        return (trip_result){.pointer = (void *)(uintptr_t)from->bits};
    default:
        return from->exact;
    }
}

/* No more than a register where the type is as narrow as one: there is no room for more. */
static void widen(trip_type type, const trip_result *result, void *out)
{
    switch (type) {
    case TRIP_TYPE_VOID:
        break;
    case TRIP_TYPE_INT8:
        *(ffi_sarg *)out = result->int8;
        break;
    case TRIP_TYPE_UINT8:
        *(ffi_arg *)out = result->uint8;
        break;
    case TRIP_TYPE_INT16:
        *(ffi_sarg *)out = result->int16;
        break;
    case TRIP_TYPE_UINT16:
        *(ffi_arg *)out = result->uint16;
        break;
    case TRIP_TYPE_INT32:
        *(ffi_sarg *)out = result->int32;
        break;
    case TRIP_TYPE_UINT32:
        *(ffi_arg *)out = result->uint32;
        break;
    case TRIP_TYPE_INT64:
    case TRIP_TYPE_UINT64:
        *(uint64_t *)out = result->uint64;
        break;
    case TRIP_TYPE_FLOAT:
        *(float *)out = result->float32;
        break;
    case TRIP_TYPE_DOUBLE:
        *(double *)out = result->float64;
        break;
    case TRIP_TYPE_POINTER:
        *(ffi_arg *)out = (uintptr_t)result->pointer;
        break;
    }
}

/* libffi reads the cif and the arguments, and says nowhere that it does no more. */
void trip_foreign_call(const trip_foreign *foreign, const void *const *arguments, trip_result *out_result)
{
    wide returned;
    ffi_call((ffi_cif *)&foreign->cif, foreign->function, &returned, (void **)arguments);
    if (foreign->result != TRIP_TYPE_VOID)
        *out_result = narrowed(foreign->result, &returned);
}

/* ---- Functions that are made ------------------------------------------------------------------------------------- */

#if FFI_CLOSURES

static void answer(ffi_cif *cif, void *out, void **arguments, void *made_for)
{
    const trip_foreign *f = made_for;
    trip_result result = {0};
    (void)cif;
    f->answer(f, f->context, (const void *const *)arguments, &result);
    widen(f->result, &result, out);
}

/* libffi does not say why it failed. Where there is memory for a lot, it was not for want of it. */
static trip_status why_not(void)
{
    size_t a_lot = 1 << 20;
    void *memory = mmap(NULL, a_lot, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return TRIP_E_NOMEM;
    munmap(memory, a_lot);
    return TRIP_E_UNSUPPORTED;
}

/* Where no memory may be written and executed, libffi maps it twice and shares it with forked children: if these made
   functions there, they would overwrite those of others. */
static pid_t sharer; /* the process that has such memory; 0: none has */

static trip_status make_function(trip_foreign *f)
{
    union {
        void *code;
        trip_function function;
    } made;
    if (sharer != 0 && sharer != getpid())
        return TRIP_E_UNSUPPORTED;
    ffi_closure *closure = ffi_closure_alloc(sizeof *closure, &made.code);
    if (closure == NULL)
        return why_not();
    if (closure != made.code)
        sharer = getpid();
    if (ffi_prep_closure_loc(closure, &f->cif, answer, f, made.code) != FFI_OK) {
        ffi_closure_free(closure);
        return TRIP_E_UNSUPPORTED;
    }
    static trip_foreign *all; /* where they can be found by whoever looks for leaks */
    f->next = all;
    all = f;
    atomic_store_explicit(&f->made, made.function, memory_order_release);
    return TRIP_OK;
}

#else

static trip_status make_function(trip_foreign *f)
{
    (void)f;
    return TRIP_E_UNSUPPORTED;
}

#endif

/* libffi has locks of its own, which a fork must not find taken. */
trip_status trip_foreign_pointer(trip_foreign *foreign, trip_answer its_answer, uint64_t context,
                                 trip_function *out_function)
{
    trip_status status = TRIP_OK;
    if (atomic_load_explicit(&foreign->made, memory_order_acquire) == NULL) {
        int saved = errno;
        trip_process_lock();
        if (atomic_load_explicit(&foreign->made, memory_order_relaxed) == NULL) {
            foreign->answer = its_answer;
            foreign->context = context;
            status = make_function(foreign);
        }
        trip_process_unlock();
        errno = saved;
    }
    if (status == TRIP_OK)
        *out_function = atomic_load_explicit(&foreign->made, memory_order_acquire);
    return status;
}

#else

trip_status trip_foreign_make(trip_function function, const trip_signature *signature, trip_foreign **out_foreign)
{
    (void)function;
    (void)signature;
    (void)out_foreign;
    return TRIP_E_UNSUPPORTED;
}

/* There are none to be called with. */

void trip_foreign_release(trip_foreign *foreign)
{
    (void)foreign;
}

trip_type trip_foreign_result(const trip_foreign *foreign)
{
    (void)foreign;
    return TRIP_TYPE_VOID;
}

uint32_t trip_foreign_count(const trip_foreign *foreign)
{
    (void)foreign;
    return 0;
}

void trip_foreign_call(const trip_foreign *foreign, const void *const *arguments, trip_result *out_result)
{
    (void)foreign;
    (void)arguments;
    *out_result = (trip_result){0};
}

trip_status trip_foreign_pointer(trip_foreign *foreign, trip_answer answer, uint64_t context,
                                 trip_function *out_function)
{
    (void)foreign;
    (void)answer;
    (void)context;
    (void)out_function;
    return TRIP_E_UNSUPPORTED;
}

#endif

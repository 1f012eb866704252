/*
 * Foreign functions: the caller's, called by their signatures, and functions of the same signatures made at run time. The
 * one place that knows libffi; a library built without it makes none. Calls what it is told to call, with no lock held.
 */
#ifndef TRIP_FOREIGN_H
#define TRIP_FOREIGN_H

#include "result.h"

typedef struct trip_foreign trip_foreign;

/* What a function that was made does when it is called. */
typedef void (*trip_answer)(const trip_foreign *foreign, uint64_t context, const void *const *arguments,
                            trip_result *out_result);

/* TRIP_OK, TRIP_E_NOMEM, or TRIP_E_UNSUPPORTED: there is no libffi. */
trip_status trip_foreign_make(trip_function function, const trip_signature *signature, trip_foreign **out_foreign);

/* Nobody uses it any more. One with a function of its own stays nevertheless: that may be called at any time. */
void trip_foreign_release(trip_foreign *foreign);

trip_type trip_foreign_result(const trip_foreign *foreign);
uint32_t trip_foreign_count(const trip_foreign *foreign);

/* Call it, with as many arguments as it has. Neither reads nor writes errno itself. */
void trip_foreign_call(const trip_foreign *foreign, const void *const *arguments, trip_result *out_result);

/* Its one function, which is made when it is first asked for. TRIP_OK, TRIP_E_NOMEM, or TRIP_E_UNSUPPORTED: the system
   forbids it. errno is preserved. */
trip_status trip_foreign_pointer(trip_foreign *foreign, trip_answer answer, uint64_t context,
                                 trip_function *out_function);

#endif

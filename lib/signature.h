/* Signatures of functions, as text: "int32 (pointer, uint64)". Reads text and keeps nothing; knows nothing of calls. */
#ifndef TRIP_SIGNATURE_H
#define TRIP_SIGNATURE_H

#include "trip.h"

#include <stdbool.h>

#define TRIP_PARAMETERS_MAX 64
#define TRIP_SIGNATURE_LEN_MAX 1024

typedef enum trip_type {
    TRIP_TYPE_VOID,
    TRIP_TYPE_INT8,
    TRIP_TYPE_UINT8,
    TRIP_TYPE_INT16,
    TRIP_TYPE_UINT16,
    TRIP_TYPE_INT32,
    TRIP_TYPE_UINT32,
    TRIP_TYPE_INT64,
    TRIP_TYPE_UINT64,
    TRIP_TYPE_FLOAT,
    TRIP_TYPE_DOUBLE,
    TRIP_TYPE_POINTER
} trip_type;

#define TRIP_TYPES (TRIP_TYPE_POINTER + 1)

typedef struct trip_signature {
    trip_type result;
    uint32_t count;
    trip_type parameters[TRIP_PARAMETERS_MAX];
} trip_signature;

/* TRIP_OK; or TRIP_E_INVALID, or TRIP_E_UNSUPPORTED for variadic functions and structs by value, and an error that says
   what is wrong, and where. */
trip_status trip_signature_read(const char *text, size_t len, trip_signature *out_signature, trip_error *out_error);

#endif

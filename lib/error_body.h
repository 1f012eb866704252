/* The error object in the body of a response: what it says of class, status and wait. Reads what is there: a body may
   be cut off anywhere, be an array, an event stream, or no JSON at all. Allocates nothing; takes 12 KiB of stack. */
#ifndef TRIP_ERROR_BODY_H
#define TRIP_ERROR_BODY_H

#include "symptom.h"

#define TRIP_MESSAGES_MAX 4

typedef struct trip_error_body {
    bool is_json;
    bool is_error;        /* there is an error object, not just an answer */
    trip_classes told;    /* by its codes and types */
    uint32_t http_status; /* that it gives for itself; 0: none */
    uint64_t wait_ns;     /* that its members ask for, but for the messages; 0: none */
    trip_text messages[TRIP_MESSAGES_MAX];
    size_t message_count;
} trip_error_body;

void trip_read_error_body(trip_text body, trip_error_body *found);

#endif

/* What providers, resolvers and HTTP clients call their errors: codes, types and phrases, each with the class it tells.
   Tables and the search in them; how much a symptom counts beside an HTTP status is classify.c's. */
#ifndef TRIP_SYMPTOM_H
#define TRIP_SYMPTOM_H

#include "words.h"

#include <stdint.h>

/* A set of classes: bit n is the class n. */
typedef uint32_t trip_classes;

#define TRIP_CLASS_BIT(class) ((trip_classes)1 << (class))

/* The class that an error's code or type tells, compared whole and in any case; none if nobody knows it. */
trip_classes trip_symptom_of_code(trip_text code);

/* Add the classes of all codes and of all phrases in a text. Codes count here only where they cannot be words of a
   language. */
void trip_symptoms_in_text(trip_text text, trip_classes *by_code, trip_classes *by_phrase);

/* The HTTP status of an error, 400 to 599, that the words around it say is one: "HTTP/1.1 503", "status code: 429",
   "502 Bad Gateway". 0: there is none. */
uint32_t trip_status_in_text(trip_text text);

#endif

/* Results, as result.h describes them. */
#include "result.h"

size_t trip_type_size(trip_type type)
{
    static const size_t sizes[TRIP_TYPES] = {
        [TRIP_TYPE_INT8] = 1,
        [TRIP_TYPE_UINT8] = 1,
        [TRIP_TYPE_INT16] = 2,
        [TRIP_TYPE_UINT16] = 2,
        [TRIP_TYPE_INT32] = 4,
        [TRIP_TYPE_UINT32] = 4,
        [TRIP_TYPE_INT64] = 8,
        [TRIP_TYPE_UINT64] = 8,
        [TRIP_TYPE_FLOAT] = sizeof(float),
        [TRIP_TYPE_DOUBLE] = sizeof(double),
        [TRIP_TYPE_POINTER] = sizeof(void *),
    };
    return sizes[type];
}

static bool is_signed_integer(trip_type type)
{
    return type == TRIP_TYPE_INT8 || type == TRIP_TYPE_INT16 || type == TRIP_TYPE_INT32 || type == TRIP_TYPE_INT64;
}

static bool is_floating(trip_type type)
{
    return type == TRIP_TYPE_FLOAT || type == TRIP_TYPE_DOUBLE;
}

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

bool trip_rule_fits(uint32_t rule, trip_type type)
{
    switch (rule) {
    case TRIP_RULE_NEGATIVE_FAILS:
        return is_signed_integer(type) || is_floating(type);
    case TRIP_RULE_ERRNO:
        return is_signed_integer(type) || type == TRIP_TYPE_POINTER;
    case TRIP_RULE_CLASSIFIER:
        return true;
    default:
        return type != TRIP_TYPE_VOID;
    }
}

static bool is_negative(trip_type type, const trip_result *result)
{
    switch (type) {
    case TRIP_TYPE_INT8:
        return result->int8 < 0;
    case TRIP_TYPE_INT16:
        return result->int16 < 0;
    case TRIP_TYPE_INT32:
        return result->int32 < 0;
    case TRIP_TYPE_INT64:
        return result->int64 < 0;
    case TRIP_TYPE_FLOAT:
        return result->float32 < 0;
    case TRIP_TYPE_DOUBLE:
        return result->float64 < 0;
    default:
        return false;
    }
}

static bool is_zero(trip_type type, const trip_result *result)
{
    switch (trip_type_size(type)) {
    case 1:
        return result->uint8 == 0;
    case 2:
        return result->uint16 == 0;
    case 4:
        return type == TRIP_TYPE_FLOAT ? result->float32 == 0 : result->uint32 == 0;
    default:
        return type == TRIP_TYPE_DOUBLE ? result->float64 == 0 : result->uint64 == 0;
    }
}

bool trip_rule_fails(uint32_t rule, trip_type type, const trip_result *result)
{
    switch (rule) {
    case TRIP_RULE_ZERO_SUCCEEDS:
        return !is_zero(type, result);
    case TRIP_RULE_ZERO_FAILS:
        return is_zero(type, result);
    default:
        return type == TRIP_TYPE_POINTER ? result->pointer == NULL : is_negative(type, result);
    }
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

trip_result trip_result_refused(trip_type type, const trip_guard_config *config)
{
    uint64_t bits = (uint64_t)config->refused_result;
    switch (type) {
    case TRIP_TYPE_INT8:
    case TRIP_TYPE_UINT8:
        return (trip_result){.uint8 = (uint8_t)bits};
    case TRIP_TYPE_INT16:
    case TRIP_TYPE_UINT16:
        return (trip_result){.uint16 = (uint16_t)bits};
    case TRIP_TYPE_INT32:
    case TRIP_TYPE_UINT32:
        return (trip_result){.uint32 = (uint32_t)bits};
    case TRIP_TYPE_FLOAT:
        return (trip_result){.float32 = (float)config->refused_double};
    case TRIP_TYPE_DOUBLE:
        return (trip_result){.float64 = config->refused_double};
    case TRIP_TYPE_POINTER:
        return (trip_result){.pointer = (void *)(uintptr_t)bits};
    default:
        return (trip_result){.uint64 = bits};
    }
}

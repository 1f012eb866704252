// A call in C++: a permit that is dropped with its scope, unless somebody has said how the call went.
#include <cstdio>
#include <stdexcept>
#include <trip.h>

class Permit
{
  public:
    explicit Permit(trip_circuit circuit)
    {
        trip_rejection refused{};
        refused.struct_size = sizeof refused;
        trip_status status = trip_circuit_permit(circuit, &permit, &refused);
        if (status > 0)
            throw std::runtime_error(trip_status_name(status));
    }
    Permit(const Permit &) = delete;
    Permit &operator=(const Permit &) = delete;
    ~Permit()
    {
        trip_permit_drop(permit);
    } // a second word about a permit changes nothing

    void succeeded()
    {
        trip_permit_record_success(permit);
    }

  private:
    trip_permit permit = 0;
};

int main()
{
    trip_tracker tracker;
    trip_circuit circuit;
    if (trip_tracker_create(nullptr, &tracker, nullptr) != TRIP_OK ||
        trip_tracker_circuit(tracker, "acme", SIZE_MAX, "openai", SIZE_MAX, &circuit) != TRIP_OK)
        return 1;

    Permit(circuit).succeeded();
    int failed = 0;
    try {
        for (;; failed++)
            Permit permit(circuit); // and nothing is ever said of it
    } catch (const std::runtime_error &refused) {
        std::printf("%d calls failed; then %s\n", failed, refused.what());
    }
    return trip_tracker_destroy(tracker) == TRIP_OK ? 0 : 2;
}

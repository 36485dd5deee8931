//! Where people live, by time zone.

use auditferry::base::zones::Zones;
use auditferry_core::model::schedule::{Schedule, Zone};
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use crate::Result;

/// Millions of people: United Nations, World Population Prospects 2024, rounded. Countries with
/// several zones are divided by the populations of their states in the newest census.
const POPULATIONS: &str = "\
Asia/Kolkata 1451 Asia/Shanghai 1419 Asia/Karachi 251 Asia/Jakarta 233 Asia/Makassar 43 Asia/Jayapura 7 \
Asia/Dhaka 174 Asia/Tokyo 124 Asia/Manila 116 Asia/Ho_Chi_Minh 101 Asia/Tehran 92 Asia/Bangkok 72 \
Asia/Yangon 54 Asia/Seoul 52 Asia/Baghdad 46 Asia/Kabul 43 Asia/Aden 41 Asia/Tashkent 36 \
Asia/Kuala_Lumpur 36 Asia/Riyadh 34 Asia/Kathmandu 30 Asia/Pyongyang 26 Asia/Damascus 25 Asia/Colombo 23 \
Asia/Taipei 23 Asia/Almaty 21 Asia/Phnom_Penh 18 Asia/Amman 12 Asia/Dubai 11 Asia/Dushanbe 11 Asia/Baku 10 \
Asia/Jerusalem 9 Asia/Vientiane 8 Asia/Ashgabat 7 Asia/Bishkek 7 Asia/Hong_Kong 7 Asia/Singapore 6 \
Asia/Beirut 6 Asia/Gaza 6 Asia/Kuwait 5 Asia/Muscat 5 Asia/Tbilisi 4 Asia/Qatar 3 Asia/Ulaanbaatar 3 \
Asia/Yerevan 3 Asia/Yekaterinburg 19 Asia/Krasnoyarsk 5 Asia/Novosibirsk 4 Asia/Irkutsk 4 Asia/Vladivostok 3 \
Asia/Omsk 2 Asia/Yakutsk 2 Africa/Lagos 233 Africa/Addis_Ababa 132 Africa/Cairo 117 \
Africa/Dar_es_Salaam 69 Africa/Johannesburg 64 Africa/Kinshasa 60 Africa/Nairobi 56 Africa/Khartoum 50 \
Africa/Kampala 50 Africa/Lubumbashi 49 Africa/Algiers 47 Africa/Casablanca 38 Africa/Luanda 38 \
Africa/Maputo 35 Africa/Accra 34 Africa/Abidjan 32 Africa/Douala 29 Africa/Niamey 27 Africa/Bamako 24 \
Africa/Ouagadougou 24 Africa/Blantyre 22 Africa/Lusaka 21 Africa/Ndjamena 20 Africa/Dakar 19 \
Africa/Mogadishu 19 Africa/Harare 17 Africa/Conakry 15 Africa/Porto-Novo 14 Africa/Kigali 14 \
Africa/Bujumbura 14 Africa/Tunis 12 Africa/Juba 12 Africa/Lome 10 Africa/Freetown 9 Africa/Tripoli 7 \
Africa/Brazzaville 6 Africa/Monrovia 6 Africa/Bangui 5 Africa/Nouakchott 5 Europe/Moscow 97 \
Europe/Istanbul 87 Europe/Berlin 85 Europe/London 69 Europe/Paris 66 Europe/Rome 59 Europe/Madrid 48 \
Europe/Warsaw 39 Europe/Kyiv 38 Europe/Bucharest 19 Europe/Amsterdam 18 Europe/Brussels 12 Europe/Prague 11 \
Europe/Stockholm 11 Europe/Lisbon 10 Europe/Athens 10 Europe/Budapest 10 Europe/Vienna 9 Europe/Minsk 9 \
Europe/Zurich 9 Europe/Sofia 7 Europe/Belgrade 7 Europe/Copenhagen 6 Europe/Helsinki 6 Europe/Oslo 6 \
Europe/Bratislava 5 Europe/Dublin 5 Europe/Zagreb 4 Europe/Samara 4 Europe/Chisinau 3 Europe/Vilnius 3 \
Europe/Tirane 3 Europe/Sarajevo 3 America/New_York 160 America/Chicago 98 America/Los_Angeles 56 \
America/Denver 22 America/Phoenix 7 America/Anchorage 1 Pacific/Honolulu 1 America/Toronto 25 \
America/Vancouver 6 America/Edmonton 5 America/Halifax 2 America/Winnipeg 1 America/Regina 1 \
America/Sao_Paulo 122 America/Fortaleza 37 America/Bahia 15 America/Recife 10 America/Belem 9 \
America/Manaus 4 America/Maceio 6 America/Cuiaba 4 America/Campo_Grande 3 America/Porto_Velho 2 \
America/Mexico_City 113 America/Monterrey 6 America/Tijuana 4 America/Hermosillo 3 America/Chihuahua 3 \
America/Cancun 2 America/Bogota 53 America/Argentina/Buenos_Aires 46 America/Lima 34 America/Caracas 28 \
America/Santiago 20 America/Guatemala 18 America/Guayaquil 18 America/La_Paz 12 America/Port-au-Prince 12 \
America/Santo_Domingo 11 America/Havana 11 America/Tegucigalpa 11 America/Managua 7 America/Asuncion 7 \
America/El_Salvador 6 America/Costa_Rica 5 America/Panama 5 America/Montevideo 3 America/Puerto_Rico 3 \
America/Jamaica 3 Australia/Sydney 9 Australia/Melbourne 7 Australia/Brisbane 6 Australia/Perth 3 \
Australia/Adelaide 2 Pacific/Port_Moresby 11 Pacific/Auckland 5 Indian/Antananarivo 32";

/// The accounts of a zone: those with the numbers from `first`, as many as `count`.
pub(crate) struct Share {
    pub(crate) zone: Zone,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

/// Divides accounts as people live; each other place that has a zone gets one.
pub(crate) fn shares(accounts: u64) -> Result<Vec<Share>> {
    let words: Vec<&str> = POPULATIONS.split_ascii_whitespace().collect();
    let mut people = Vec::new();
    for pair in words.chunks(2) {
        let [name, millions] = pair else { return Err("POPULATIONS has a name without a number".into()) };
        people.push((*name, millions.parse::<u64>()?));
    }
    let all: u64 = people.iter().map(|(_, millions)| millions).sum();
    let bundled = TimeZoneDatabase::bundled();
    let is_place = |name: &str| {
        [
            "Africa/",
            "America/",
            "Antarctica/",
            "Asia/",
            "Atlantic/",
            "Australia/",
            "Europe/",
            "Indian/",
            "Pacific/",
        ]
        .iter()
        .any(|continent| name.starts_with(continent))
    };
    let others: Vec<String> = bundled
        .available()
        .map(|name| name.as_str().to_owned())
        .filter(|name| is_place(name) && !people.iter().any(|(known, _)| known == name))
        .collect();
    let left = accounts.saturating_sub(others.len() as u64);
    let (zones, mut shares) = (Zones::load(), Vec::new());
    let (mut first, mut before) = (0, 0);
    for (name, millions) in people {
        before += millions;
        let count = left * before / all - first;
        shares.push(Share { zone: zones.find(name)?, first, count });
        first += count;
    }
    for name in others {
        // A system's database may lack a name.
        if let Ok(zone) = zones.find(&name)
            && first < accounts
        {
            shares.push(Share { zone, first, count: 1 });
            first += 1;
        }
    }
    Ok(shares)
}

/// The next slot of each zone later than an instant.
pub(crate) fn next(schedule: &Schedule, zone: &Zone, after: Timestamp) -> Result<Timestamp> {
    schedule.next_after(zone.rules(), after).ok_or_else(|| "the schedule has no next slot".into())
}
